"""Requests drawn from the OpenAPI document: whatever is sent, no answer is a 5xx but "busy"."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from tests.page.browsing import serve
from tests.support.fake_models import HeldDetector, MeanEncoder

EXAMPLES = 6  # for each operation: some seconds in all

schemathesis = pytest.importorskip("schemathesis", reason="needs: pip install schemathesis")
hypothesis = pytest.importorskip("hypothesis")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    detector = HeldDetector()
    detector.go.set()
    models = Models(detector, MeanEncoder(), AttributeHeads([]))
    with serve(tmp_path_factory.mktemp("home"), models) as served:
        yield served.address


def test_no_request_brings_the_server_down(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 15
    for operation in operations:
        _try(operation, address)
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}


def _try(operation: Any, address: str) -> None:
    def send(case: Any) -> None:
        answer = case.call(base_url=address)
        assert answer.status_code < 500 or answer.status_code == 503, case.as_curl_command()

    settings = hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    settings(hypothesis.given(case=operation.as_strategy())(send))()
