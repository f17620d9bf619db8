"""The models' thread: one at a time, together what waits, 503 beyond, no failure shared."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.app import create_app
from api.schemas.problems import QueueFull, ServerStopping
from api.server.inference_thread import Inference, SharedDescriber
from api.server.limits import Limits
from indexer.errors import ModelError
from indexer.images.photo import Photo
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from search.query.parts import DescribedPhoto
from tests.support.fake_models import HeldDetector, MeanEncoder


@pytest.fixture
def detector() -> HeldDetector:
    return HeldDetector()


@pytest.fixture
def inference(detector: HeldDetector) -> Iterator[Inference]:
    made = Inference(Models(detector, MeanEncoder(), AttributeHeads([])), most_waiting=3)
    made.start()
    yield made
    detector.go.set()
    made.stop()


def photo(name: str = "", level: int = 200) -> Photo:
    return Photo(np.full((40, 40, 3), level, np.uint8), name)


def until(holds: Callable[[], bool]) -> None:
    waited = threading.Event()
    while not holds():
        waited.wait(0.01)


def describe_held(
    pool: Executor, inference: Inference, detector: HeldDetector
) -> Future[DescribedPhoto]:
    """Have a photo described, and return once the detector holds it."""
    first = pool.submit(inference.describe, photo())
    assert detector.began.acquire(timeout=60)
    return first


def test_what_waits_is_described_together_by_one_thread(
    inference: Inference, detector: HeldDetector
) -> None:
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(inference.describe, photo(level=10))
        assert detector.began.acquire(timeout=60)
        rest = [pool.submit(inference.describe, photo(level=50 * i)) for i in (1, 2, 3)]
        until(lambda: inference.waiting == 3)
        with pytest.raises(QueueFull):
            inference.describe(photo())
        detector.go.set()
        found = [each.result() for each in (first, *rest)]
    assert detector.batches == [1, 3]
    assert detector.threads == {"inference"}
    alone = [inference.describe(photo(level=level)) for level in (10, 50, 100, 150)]
    for together, one in zip(found, alone, strict=True):
        assert np.array_equal(together.garments[0].vector, one.garments[0].vector)
        assert together.took_ms["queue"] >= 0


def test_a_photo_the_model_fails_on_fails_alone(
    inference: Inference, detector: HeldDetector
) -> None:
    with ThreadPoolExecutor(3) as pool:
        first = describe_held(pool, inference, detector)
        bad = pool.submit(inference.describe, photo("bad"))
        good = pool.submit(inference.describe, photo())
        until(lambda: inference.waiting == 2)
        detector.go.set()
        assert first.result().garments
        assert good.result().garments
        with pytest.raises(ModelError):
            bad.result()


def test_queries_go_before_an_imports_photos(inference: Inference, detector: HeldDetector) -> None:
    with ThreadPoolExecutor(2) as pool:
        importing = pool.submit(SharedDescriber(inference).describe, [photo() for _ in range(6)])
        assert detector.began.acquire(timeout=60)
        asked = pool.submit(inference.describe, photo())
        until(lambda: inference.waiting == 1)
        detector.go.set()
        assert asked.result().garments
        assert len(importing.result()) == 6
    assert detector.batches == [2, 1, 2, 2]


def test_who_waits_when_the_server_stops_is_told(
    inference: Inference, detector: HeldDetector
) -> None:
    with ThreadPoolExecutor(3) as pool:
        first = describe_held(pool, inference, detector)
        waiting = pool.submit(inference.describe, photo())
        until(lambda: inference.waiting == 1)
        stopping = pool.submit(inference.stop)
        with pytest.raises(ServerStopping):
            waiting.result()
        detector.go.set()
        stopping.result()
        assert first.result().garments
    with pytest.raises(ServerStopping):
        inference.describe(photo())


def test_a_full_server_says_when_to_come_again(detector: HeldDetector, tmp_path: Path) -> None:
    models = Models(detector, MeanEncoder(), AttributeHeads([]))
    limits = Limits(queue=1, photos_in_work=2, rate_per_minute=0)
    app = create_app(Settings(home=tmp_path), limits, load=lambda settings: models)
    file = io.BytesIO()
    Image.fromarray(photo().pixels).save(file, "PNG")

    def ask(client: TestClient) -> Any:
        return client.post("/v1/detect", files={"photo": ("p.png", file.getvalue())})

    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, client)
        assert detector.began.acquire(timeout=60)
        second = pool.submit(ask, client)
        until(lambda: app.state.lapel.inference.waiting == 1)
        refused = ask(client)
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:lapel:queue_full"
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200  # busy is not dead
        detector.go.set()
        assert first.result().status_code == second.result().status_code == 200
        assert ask(client).status_code == 200
        said = client.get("/metrics").text
        assert 'lapel_errors_total{type="queue_full"} 1.0' in said
        assert "lapel_batch_photos_count 3.0" in said
