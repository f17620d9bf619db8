"""The bundled models on a GPU: the answers of a CPU, from many threads, in less exact numbers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from ultralytics.utils import ASSETS

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import DescribedGarment, Describer
from indexer.feeds import read_feed
from indexer.images.photo import Photo, read_photo
from indexer.ingest.companions import overlap
from indexer.ingest.importer import Importer
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from search.query.options import Options
from search.searcher import Searcher
from training.sample_shop import sample_items, write_shop

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")
ITEMS = sample_items()[:24]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu") / "shop"
    write_shop(folder, ITEMS)
    return folder


@pytest.fixture(scope="module")
def photos(shop: Path) -> list[Photo]:
    drawn = sorted((shop / "images").glob("*_worn.jpg"))[:12]
    return [read_photo(path) for path in [*drawn, ASSETS / "bus.jpg", ASSETS / "zidane.jpg"]]


@pytest.fixture(scope="module")
def exact() -> Describer:
    return Describer(load_models(Settings(device="cpu", runtime="torch", precision="fp32")))


@pytest.fixture(scope="module")
def on_gpu() -> Describer:
    return Describer(load_models(Settings(), at_once=4), at_once=4)


def places(models: Models) -> set[str]:
    return {str(models.detector.placement), str(models.encoder.placement)}  # type: ignore[attr-defined]


def flat(described: Sequence[Sequence[DescribedGarment]]) -> list[DescribedGarment]:
    return [garment for each in described for garment in each]


def check_alike(
    found: list[DescribedGarment], wanted: list[DescribedGarment], layout: slice, cosine: float
) -> None:
    assert [(each.slot, each.is_fallback) for each in found] == [
        (each.slot, each.is_fallback) for each in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        assert float(one.vector[layout] @ other.vector[layout]) >= cosine
        assert overlap(one.xyxy, other.xyxy) >= 0.9
        area = [each.mask.sum() for each in (one, other)]
        assert min(area) >= 0.9 * max(area)


def test_it_is_taken_by_default_in_bf16_and_the_fingerprint_is_the_same(
    on_gpu: Describer, exact: Describer
) -> None:
    name = torch.cuda.get_device_name(0)
    assert places(on_gpu.models) == {f"cuda:0 ({name}), torch, bf16"}
    assert on_gpu.models.fingerprint == exact.models.fingerprint


def test_garments_are_those_of_a_cpu(
    on_gpu: Describer, exact: Describer, photos: list[Photo]
) -> None:
    visual = exact.layout.slices()["visual"]
    wanted = flat(exact.describe(photos))
    assert len(wanted) > len(photos)
    check_alike(flat(on_gpu.describe(photos)), wanted, visual, 0.98)


def test_fp32_is_exact(exact: Describer, photos: list[Photo]) -> None:
    models = load_models(Settings(device="cuda", precision="fp32"))
    assert all(place.endswith("torch, fp32") for place in places(models))
    visual = exact.layout.slices()["visual"]
    check_alike(
        flat(Describer(models).describe(photos)), flat(exact.describe(photos)), visual, 0.999
    )


def test_texts_are_understood_alike(on_gpu: Describer, exact: Describer) -> None:
    texts = ["a red dress", "black leather jacket", "wide blue jeans"]
    rows, wanted = on_gpu.embed_text(texts), exact.embed_text(texts)
    assert ((rows * wanted).sum(axis=1) >= 0.995).all()


def test_threads_get_their_own_answers(on_gpu: Describer, photos: list[Photo]) -> None:
    alone = [on_gpu.describe([photo])[0] for photo in photos]
    visual = on_gpu.layout.slices()["visual"]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(
            pool.map(lambda photo: on_gpu.describe([photo])[0], 4 * photos), 4 * alone, strict=True
        ):
            check_alike(found, wanted, visual, 0.99)  # of other sizes of batches


def test_what_a_gpu_indexed_is_searched_on_a_cpu(
    on_gpu: Describer, exact: Describer, shop: Path, tmp_path: Path
) -> None:
    catalogue = Catalogue.open(Settings(home=tmp_path), create=True)
    report = Importer(catalogue, on_gpu, shop).run(read_feed(shop / "feed.tsv"))
    assert report.added == len(ITEMS)
    first = []
    for here in (on_gpu, exact):
        searcher = Searcher(catalogue, here)
        photo = read_photo(next((shop / "images").glob(f"{ITEMS[0].item_id}*worn*.jpg")))
        answer = searcher.search_photo(photo, Options(k=3))
        first.append([hit.item.item_id for each in answer.garments for hit in each.hits[:1]])
    assert first[0] == first[1]
    assert np.isfinite(catalogue.vectors.get(catalogue.vectors.ids())).all()
