"""Shared by the tests of the server and of the command line."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from indexer.models.loading import Models
from indexer.settings import Settings
from tests.support.http_requests import serving_here
from tests.support.sample_shop import Shop


@pytest.fixture(scope="module")
def client(models: Models, shop: Shop) -> Iterator[TestClient]:
    """A server of the indexed sample shop, for tests that write nothing."""
    with serving_here(Settings(home=shop.home), models) as opened:
        yield opened
