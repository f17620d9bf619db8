"""The reference pages of settings and commands say what the code says."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from tests.support.reference_pages import PAGES, settings_table


@pytest.mark.parametrize(("path", "page"), PAGES.items(), ids=[path.name for path in PAGES])
def test_a_page_is_as_the_code_has_it(path: Path, page: Callable[[], str]) -> None:
    assert path.read_text("utf-8") == page(), f"{path.name} is stale: run `make docs`"


def test_a_setting_without_a_meaning_is_refused() -> None:
    class Bare(BaseSettings):
        speed: int = 1

    with pytest.raises(ValueError, match="speed"):
        settings_table(Bare)
