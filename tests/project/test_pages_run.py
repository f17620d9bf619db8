"""The commands and the Python of every page but the README run, and do what it says."""

import pytest

from tests.support.docs_sandbox import Desk
from tests.support.markdown_commands import PAGES, ROOT, Page
from tests.support.page_runs import run_page

TYPED = [page for page in map(Page.read, PAGES) if page.steps and page.path != ROOT / "README.md"]


@pytest.mark.parametrize("page", TYPED, ids=[str(p.path.relative_to(ROOT)) for p in TYPED])
def test_what_a_page_shows_runs(page: Page, desk: Desk) -> None:
    run_page(page, desk)
