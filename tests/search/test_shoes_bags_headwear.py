"""Shoes, bags and headwear are indexed, searched, filtered and recommended like clothes."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import QueryError
from indexer.feeds import read_feed
from indexer.garments import Garments, Slot
from indexer.images.image_sources import ImageSources
from indexer.images.photo import Photo, read_photo
from indexer.ingest.importer import Importer, ImportReport
from indexer.ingest.sync import Sync
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemRow
from indexer.vocabulary.categories import OWN_WORDS, slot_of, use_words_of
from search.filters.facets import find_facets
from search.filters.json_filters import read_filter
from search.query.options import Options
from search.query.parts import QueryParts
from search.recommend.outfit import find_outfit
from search.recommend.recommender import Recommender
from search.searcher import Searcher

RED, BLACK, BLUE, GREEN = (200, 30, 30), (20, 20, 20), (40, 60, 160), (30, 130, 60)
Colour = tuple[int, int, int]
# Where a person of 200 x 320 px wears what: x1, y1, x2, y2.
PLACES: dict[Slot, tuple[int, int, int, int]] = {
    "headwear": (70, 10, 130, 50),
    "top": (50, 60, 150, 160),
    "bottom": (60, 165, 140, 260),
    "shoes": (60, 270, 140, 310),
    "bag": (155, 120, 195, 190),
}
ITEMS: tuple[tuple[str, str, Slot, Colour], ...] = (
    ("tee-red", "Red tee", "top", RED), ("tee-blue", "Blue tee", "top", BLUE),
    ("jeans-blue", "Blue jeans", "bottom", BLUE), ("jeans-black", "Black jeans", "bottom", BLACK),
    ("sneakers-red", "Red sneakers", "shoes", RED), ("boots-black", "Black boots", "shoes", BLACK),
    ("tote-green", "Green tote bag", "bag", GREEN), ("clutch-red", "Red clutch", "bag", RED),
    ("belt-red", "Red belt", "bottom", RED),
)  # fmt: skip
SLOTS = {item_id: slot for item_id, _, slot, _ in ITEMS if item_id != "belt-red"}


class Places:
    """A Detector that finds whatever is not white at the place of a slot."""

    fingerprint = "places"
    confidence = 0.25

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [self._garments(photo) for photo in photos]

    def _garments(self, photo: Photo) -> Garments:
        seen = [
            (slot, box) for slot, box in PLACES.items()
            if photo.pixels[box[1] : box[3], box[0] : box[2]].mean() < 245
        ]  # fmt: skip
        slots = tuple(slot for slot, _ in seen)
        return Garments(
            photo.image_hw,
            np.array([box for _, box in seen], np.int32).reshape(-1, 4),
            slots,
            slots,
            np.full(len(seen), 0.9, np.float32),
            tuple(np.ones((y2 - y1, x2 - x1), np.bool_) for _, (x1, y1, x2, y2) in seen),
        )


def draw(path: Path, worn: dict[Slot, Colour]) -> Path:
    pixels = np.full((320, 200, 3), 255, np.uint8)
    for slot, colour in worn.items():
        x1, y1, x2, y2 = PLACES[slot]
        pixels[y1:y2, x1:x2] = colour
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def placed(models: Models) -> Describer:
    return Describer(Models(Places(), models.encoder, models.heads))


@pytest.fixture
def shop_folder(tmp_path: Path) -> Path:
    with (tmp_path / "feed.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "title", "image_link", "price", "availability"])
        for item_id, title, slot, colour in ITEMS:
            picture = draw(tmp_path / f"{item_id}.png", {slot: colour})
            rows.writerow([item_id, title, picture.name, "20 EUR", "in_stock"])
    return tmp_path


@pytest.fixture
def worded(shop_folder: Path) -> Iterator[Path]:
    """A home whose own words say what every word said before there were these slots."""
    home = shop_folder / "home"
    home.mkdir()
    (home / OWN_WORDS).write_text("-\t\ten\tsneaker, boot, tote, tote bag, clutch\n", "utf-8")
    use_words_of(home)
    yield home
    use_words_of(Path("/none"))


def index(folder: Path, describer: Describer) -> tuple[Catalogue, ImportReport]:
    catalogue = Catalogue.open(Settings(home=folder / "home"), create=True)
    return catalogue, Importer(catalogue, describer, folder).run(read_feed(folder / "feed.csv"))


def stored_slots(catalogue: Catalogue) -> dict[str, set[tuple[str | None, str]]]:
    """Return the slots of each item and of its garments."""
    found: dict[str, set[tuple[str | None, str]]] = {}
    with Session(catalogue.engine) as session:
        rows = session.execute(
            select(ItemRow.item_id, ItemRow.slot, GarmentRow.slot)
            .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
            .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
        )
        for item_id, slot, of_garment in rows:
            found.setdefault(item_id, set()).add((slot, of_garment))
    return found


@pytest.fixture
def searcher(shop_folder: Path, placed: Describer) -> Searcher:
    return Searcher(index(shop_folder, placed)[0], placed)


def test_items_and_garments_have_the_slot(searcher: Searcher) -> None:
    stored = stored_slots(searcher.catalogue)
    assert {item_id: stored[item_id] for item_id in SLOTS} == {
        item_id: {(slot, slot)} for item_id, slot in SLOTS.items()
    }
    assert stored["belt-red"] == {(None, "bottom")}  # no garment: all that its picture shows


def test_a_photo_finds_each_of_its_garments(searcher: Searcher, tmp_path: Path) -> None:
    photo = read_photo(draw(tmp_path / "street.png", {"top": BLUE, "shoes": RED, "bag": GREEN}))
    answer = searcher.search_photo(photo, Options(k=1))
    assert {each.garment.slot: each.hits[0].item.item_id for each in answer.garments} == {
        "top": "tee-blue", "shoes": "sneakers-red", "bag": "tote-green"
    }  # fmt: skip
    (only,) = searcher.search_photo(photo, Options(k=5, garment="shoes")).garments
    assert {hit.item.slot for hit in only.hits} == {"shoes"}
    (shoes,) = (each for each in answer.garments if each.garment.slot == "shoes")
    assert shoes.garment.category != "shoes"  # a kind of them
    assert slot_of(shoes.garment.category or "") == "shoes"
    for each in answer.garments:  # of shoes and bags the heads know as much as of tops
        assert each.weights["attributes"] == pytest.approx(0.15)
    assert searcher.answer(QueryParts(item_id="boots-black"), Options(k=1)).hits[0].score > 0
    assert searcher.search_photo(photo, Options(k=1, garment="headwear")).warnings == (
        "no headwear was found in the photo; it shows: bag, shoes, top",
    )
    with pytest.raises(QueryError, match="bag, headwear"):
        Options(garment="hat").check()


def test_words_name_the_slot(searcher: Searcher) -> None:
    for words, slot, best in (
        ("red sneakers", "shoes", "sneakers-red"), ("black boots", "shoes", "boots-black"),
        ("green tote bag", "bag", "tote-green"),
    ):  # fmt: skip
        answer = searcher.search_text(words, Options(k=2))
        assert answer.text is not None
        assert answer.text.slot == slot
        assert answer.hits[0].item.item_id == best
        assert {hit.item.slot for hit in answer.hits} == {slot}


def test_slots_are_filtered_and_counted(searcher: Searcher, tmp_path: Path) -> None:
    photo = read_photo(draw(tmp_path / "street.png", {"top": BLUE}))
    shoes = read_filter({"field": "slot", "eq": "shoes"})
    answer = searcher.search_photo(photo, Options(k=9, filters=shoes, strict_slot=False))
    found = {hit.item.item_id for each in answer.garments for hit in each.hits}
    assert found == {"sneakers-red", "boots-black"}
    with Session(searcher.catalogue.engine) as session:
        (counted,) = find_facets(session, searcher.catalogue.id, ["slot"])
    assert {each["value"]: each["count"] for each in counted["values"]} == {
        "top": 2, "bottom": 2, "shoes": 2, "bag": 2
    }  # fmt: skip


def test_they_are_recommended_where_the_shop_sells_them(
    searcher: Searcher, tmp_path: Path, placed: Describer
) -> None:
    recommender = Recommender(searcher)
    beside = recommender.complete("tee-red", Options(k=5))
    assert [each.slot for each in beside] == ["bottom", "outer", "shoes", "bag"]
    found = {each.slot: [hit.item.item_id for hit in each.hits] for each in beside}
    assert found["shoes"] == ["sneakers-red", "boots-black"]  # by likeness of colours; no belt
    assert found["bag"] == ["clutch-red", "tote-green"]
    (asked,) = recommender.complete("tee-red", Options(k=5), ["headwear"])
    assert (asked.slot, asked.hits) == ("headwear", ())
    of_shoes = recommender.complete("boots-black", Options(k=1))
    assert [each.slot for each in of_shoes] == ["top", "bottom", "dress", "outer", "bag"]
    (other,) = recommender.alternatives("boots-black", Options(k=5))
    assert other.item.item_id == "sneakers-red"
    worn: dict[Slot, Colour] = {"top": BLUE, "bottom": BLACK, "shoes": RED}
    (garments,) = placed.describe([read_photo(draw(tmp_path / "street.png", worn))])
    outfit = find_outfit(searcher, garments, Options(k=1))
    pieces = {each.garment.slot: each.hit.item.item_id for each in outfit.pieces if each.hit}
    assert pieces == {"top": "tee-blue", "bottom": "jeans-black", "shoes": "sneakers-red"}
    assert [each.slot for each in outfit.completing] == ["outer", "bag"]


def sync(folder: Path, describer: Describer) -> tuple[Catalogue, ImportReport]:
    catalogue = Catalogue.open(Settings(home=folder / "home"))
    rows = read_feed(folder / "feed.csv")
    with (
        ImageSources(catalogue.settings, folder, None) as pictures,
        Sync(catalogue, pictures, rows, "mirror") as work,
    ):
        plan = work.plan()
        assert (plan.changed_pictures, plan.unchanged, plan.removed) == (4, 5, 0)
        importer = Importer(catalogue, describer, folder, pictures=pictures)
        return catalogue, work.apply(plan, importer).imported


@pytest.mark.parametrize(("again", "unchanged"), [(index, 5), (sync, 0)], ids=["index", "sync"])
def test_a_former_home_has_them_after_its_next_index_or_sync(
    worded: Path,
    shop_folder: Path,
    placed: Describer,
    again: Callable[[Path, Describer], tuple[Catalogue, ImportReport]],
    unchanged: int,
) -> None:
    catalogue, _ = index(shop_folder, placed)
    assert stored_slots(catalogue)["sneakers-red"] == {(None, "shoes")}
    (worded / OWN_WORDS).unlink()
    use_words_of(worded)
    catalogue, report = again(shop_folder, placed)
    assert (report.changed, report.unchanged, report.embedded_photos) == (4, unchanged, 4)
    assert {item_id: stored_slots(catalogue)[item_id] for item_id in SLOTS} == {
        item_id: {(slot, slot)} for item_id, slot in SLOTS.items()
    }
    assert index(shop_folder, placed)[1].unchanged == 9
