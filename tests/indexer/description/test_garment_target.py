"""A box or an outline that an annotated set gives picks the garment, and is kept for later."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.description.garment_choice import choose_garments
from indexer.description.garment_target import TargetRegion, region_from_json, target_key
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.garments import Garments, Slot
from indexer.images.photo import Photo
from indexer.ingest.importer import Importer
from indexer.ingest.photo_tasks import region_of
from indexer.ingest.reembed import Reembedder
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemPhotoRow, ItemRow
from tests.support.databases import Store
from tests.support.small_catalogue import Dots

LEFT, RIGHT = (10, 20, 90, 180), (110, 20, 190, 180)
FAR = (20, 185, 60, 199)  # where nothing is seen


class TwoTops:
    """A Detector that sees two tops beside each other, the right one larger and surer."""

    fingerprint = "two-tops"
    confidence = 0.25

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        return [two_tops(photo) for photo in photos]


def two_tops(photo: Photo, slots: tuple[Slot, Slot] = ("top", "top")) -> Garments:
    boxes = [(105, 10, 195, 190), (12, 22, 88, 178)]
    masks = tuple(np.ones((y2 - y1, x2 - x1), np.bool_) for x1, y1, x2, y2 in boxes)
    return Garments(
        photo.image_hw, np.array(boxes, np.int32), slots, slots,
        np.array([0.9, 0.1], np.float32), masks,
    )  # fmt: skip


def pixels() -> NDArray[np.uint8]:
    drawn = np.full((200, 200, 3), 255, np.uint8)
    drawn[20:180, 10:90], drawn[20:180, 110:190] = (200, 0, 0), (0, 0, 200)
    return drawn


def chosen(place: TargetRegion, slots: tuple[Slot, Slot] = ("top", "top")) -> Garments:
    photo = Photo(pixels(), "0")
    return choose_garments(photo, two_tops(photo, slots), place, 0.25)


def describer(seed: int) -> Describer:
    return Describer(Models(TwoTops(), Dots(seed), AttributeHeads([])))


def test_the_found_garment_that_fills_the_box_is_meant() -> None:
    assert chosen(TargetRegion("top", LEFT)).xyxy.tolist() == [[12, 22, 88, 178]]
    assert chosen(TargetRegion("top", RIGHT)).xyxy.tolist() == [[105, 10, 195, 190]]
    seen_otherwise = chosen(TargetRegion("outer", LEFT), ("top", "top"))
    assert (seen_otherwise.slot, seen_otherwise.category) == (("outer",), ("top",))
    assert chosen(TargetRegion(None, LEFT)).slot == ("top",)


def test_where_nothing_is_found_the_place_itself_is_meant() -> None:
    bare = chosen(TargetRegion("top", FAR))
    assert bare.is_fallback
    assert (bare.xyxy.tolist(), bare.slot) == ([list(FAR)], ("top",))
    corner = (20.0, 185.0, 60.0, 185.0, 20.0, 199.0)
    outlined = chosen(TargetRegion("top", FAR, (corner,)))
    assert outlined.is_fallback
    assert 0.4 < outlined.masks[0].mean() < 0.65  # a triangle
    assert chosen(TargetRegion("bottom", LEFT)).is_fallback  # a top is no pair of trousers


def test_an_outline_tells_a_worn_piece_from_what_lies_in_its_box() -> None:
    strip = (10.0, 20.0, 30.0, 20.0, 30.0, 180.0, 10.0, 180.0)
    assert chosen(TargetRegion("top", LEFT, (strip,))).is_fallback
    assert not chosen(TargetRegion("top", LEFT)).is_fallback


def test_a_place_outside_the_photo_leaves_the_choice_to_the_slot() -> None:
    assert chosen(TargetRegion("top", (300, 300, 400, 400))).xyxy.tolist() == [[105, 10, 195, 190]]


@pytest.mark.parametrize(
    "record",
    [
        ItemRecord("1", "1", ("a.jpg",)),
        ItemRecord("1", "1", ("a.jpg",), xyxy=(0, 0, 10**30, 5)),
        ItemRecord("1", "1", ("a.jpg",), xyxy=(-9, 0, 10, 5)),
    ],
)
def test_a_box_that_no_photo_can_have_is_none(record: ItemRecord) -> None:
    assert region_of(record) is None


def test_a_stored_place_is_the_same_and_bad_polygons_are_left_out() -> None:
    bad = ((0.0, float("nan"), 1.0, 1.0, 2.0, 2.0), (1.0, 2.0), (1e99,) * 6)
    good = (0.0, 0.0, 9.5, 0.0, 9.0, 9.0)
    place = region_of(
        ItemRecord("1", "1", ("a.jpg",), xyxy=LEFT, slot="top", polygons=(*bad, good))
    )
    assert place == TargetRegion("top", LEFT, (good,))
    again = region_from_json(json.loads(json.dumps(place.to_json())))
    assert (again, target_key(again)) == (place, target_key(place))
    assert len(target_key(TargetRegion("bottom", LEFT))) <= 20  # as many letters as the column has


def test_two_tops_of_one_photo_are_two_items_also_described_anew(
    store: Store, tmp_path: Path
) -> None:
    shop = deepfashion2(tmp_path / "shop")
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    report = Importer(catalogue, describer(1), shop).run(read_feed(shop))
    assert (report.added, report.embedded_photos, report.errors) == (2, 1, 0)
    boxes = {"000001/item1": [0.06, 0.11, 0.44, 0.89], "000001/item2": [0.525, 0.05, 0.975, 0.95]}
    assert stored_boxes(catalogue) == boxes
    again = Importer(catalogue, describer(1), shop).run(read_feed(shop))
    assert (again.unchanged, again.embedded_photos) == (2, 0)
    assert Reembedder(catalogue, describer(2)).run().described == 2
    assert stored_boxes(catalogue) == boxes
    with Session(catalogue.engine) as session:
        assert set(session.scalars(select(GarmentRow.fingerprint))) == {
            describer(2).models.fingerprint
        }
        assert [each["xyxy"] for each in session.scalars(select(ItemPhotoRow.place))] == [
            list(LEFT), list(RIGHT),
        ]  # fmt: skip


def deepfashion2(folder: Path) -> Path:
    """Write a folder of one photo with two tops that differ in nothing but their boxes."""
    (folder / "annos").mkdir(parents=True)
    (folder / "image").mkdir()
    Image.fromarray(pixels()).save(folder / "image" / "000001.jpg")
    said = {
        f"item{i}": {"category_id": 1, "category_name": "top", "bounding_box": list(box)}
        for i, box in enumerate((LEFT, RIGHT), start=1)
    }
    (folder / "annos" / "000001.json").write_text(json.dumps(said))
    return folder


def stored_boxes(catalogue: Catalogue) -> dict[str, list[float]]:
    with Session(catalogue.engine) as session:
        rows = session.execute(
            select(ItemRow.item_id, GarmentRow.box)
            .join(ItemGarmentRow, ItemGarmentRow.item_id == ItemRow.id)
            .join(GarmentRow, GarmentRow.id == ItemGarmentRow.garment_id)
        )
        return {row.item_id: row.box for row in rows}
