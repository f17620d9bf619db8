"""The typed client against a real server on loopback."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from api.app import create_app
from api.client import Client, RequestRefused
from api.server.limits import Limits
from indexer.models.loading import Models
from indexer.settings import Settings
from tests.support.live_server import serving
from tests.support.sample_shop import Shop
from training.sample_shop import draw


@pytest.fixture(scope="module")
def address(models: Models, shop: Shop) -> Iterator[str]:
    limits = Limits(rate_per_minute=0, body_bytes=2_000_000)
    app = create_app(Settings(home=shop.home), limits, load=lambda settings: models)
    with serving(app) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, tries=1) as opened:
        yield opened


def test_a_shop_in_a_few_calls(client: Client, shop: Shop, tmp_path: Path) -> None:
    item = next(i for i in shop.items if i.slot == "top")
    photo = tmp_path / "street.jpg"
    Image.fromarray(draw(item, "worn", seed=7).pixels).save(photo)
    detected = client.detect(photo)
    garment = next(g for g in detected.garments if g.slot == "top")
    answer = client.search(photo_id=detected.photo_id, garment=garment.id, k=3)
    (found,) = answer.garments
    assert len(found.results) == 3
    picture = found.results[0].picture
    assert picture
    assert Image.open(io.BytesIO(client.picture(picture))).format == "JPEG"
    assert client.search(photo.read_bytes(), k=1).garments
    near = client.similar(item.item_id, k=2).garments[0].results
    assert len(near) == 2
    assert client.item(near[0].item_id).item_id == near[0].item_id
    assert client.stats().items == len(shop.items)
    assert {"slot", "price"} <= {facet.field for facet in client.facets()}


def test_problems_are_errors(client: Client) -> None:
    with pytest.raises(RequestRefused, match="nothing to search for") as refused:
        client.search()
    assert refused.value.problem.type == "urn:lapel:query_error"
    with pytest.raises(RequestRefused) as unknown:
        client.item("no/such item")
    assert unknown.value.problem.status == 404


def test_too_large_is_refused_before_it_is_read(client: Client) -> None:
    with pytest.raises(RequestRefused, match="at most") as refused:
        client.detect(bytes(4_000_000))
    assert refused.value.problem.status == 413
