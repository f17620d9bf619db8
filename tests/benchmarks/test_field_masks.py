"""The field's sets with masks, drawn small in their own formats, and what the models see there."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from benchmarks.field import ccp, coco, deepfashion2, fashionpedia
from indexer.description.describe import Describer
from indexer.errors import FeedError
from indexer.garments import WORN_SLOTS
from indexer.images.photo import read_photo
from indexer.models.loading import Models
from tests.support.field_sets import N, draw, ours, put, sure, value
from training.data.ccp import read_validation_ids

LABEL_OF_SLOT = {
    "top": "shirt", "bottom": "jeans", "dress": "dress", "outer": "coat",
    "shoes": "shoes", "bag": "bag", "headwear": "hat",
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw(tmp_path_factory.mktemp("drawn"))


def test_ccp(tmp_path: Path, pictures: list[Path], models: Models) -> None:
    labels = ["null", *LABEL_OF_SLOT.values(), "belt"]
    held_out = sorted(read_validation_ids())[: N - 1]
    ids = [*held_out, "0001"]  # the last one tells which labels are common
    assert "0001" not in read_validation_ids()
    for id_, picture in zip(ids, pictures, strict=True):
        put(tmp_path / "photos" / f"{id_}.jpg", picture)
        seen = sure(models, tmp_path / "photos" / f"{id_}.jpg")
        values = np.zeros(seen.image_hw, np.uint8)
        values[-20:] = labels.index("belt")
        for i in reversed(range(len(seen))):
            values[seen.full_mask(i)] = labels.index(LABEL_OF_SLOT[seen.slot[i]])
        (tmp_path / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks" / f"{id_}.png"), values)
    said = {"labels": labels, "tags": {id_: [] for id_ in ids}}
    (tmp_path / "annotations.json").write_text(json.dumps(said), "utf-8")
    slots, whole, each = ccp.measure(tmp_path, lambda: models).tables
    assert value(slots.rows[-1].cells[1]) > 0.99
    by_slot, by_category, background, best = ours(whole)
    assert best[0] == pytest.approx(by_slot[0], abs=0.01)
    assert by_slot[0] > background[0]
    assert background[1] == 0
    assert by_category[0] <= 1
    assert each.rows[-1].name == "the 1 labels that are no garments of its slots"
    assert f"{N - 1} held-out photos" in whole.title


def test_two_overlapping_garments_are_painted_as_the_surer_one(
    pictures: list[Path], models: Models
) -> None:
    (garments,) = Describer(models).describe([read_photo(pictures[0])])
    answer = ccp.painted(garments, range(1, len(garments) + 1), garments[0].image_hw)
    x1, y1, x2, y2 = garments[0].xyxy
    assert (answer[y1:y2, x1:x2][garments[0].mask] == 1).all()
    twice = (2 * garments[0].image_hw[0], 2 * garments[0].image_hw[1])
    larger = ccp.painted(garments, range(1, len(garments) + 1), twice)
    assert (larger[::2, ::2] == answer).mean() > 0.99


def test_deepfashion2(
    tmp_path: Path, pictures: list[Path], models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco, "RESAMPLES", 20)
    part = tmp_path / "validation"
    for i, picture in enumerate(pictures):
        for j, source in enumerate(("user", "shop")):
            name = f"{2 * i + j + 1:06}"
            put(part / "image" / f"{name}.jpg", picture, quality=80 + 15 * j)
            seen = sure(models, part / "image" / f"{name}.jpg")
            said: dict[str, object] = {"source": source, "pair_id": i}
            for k in range(len(seen)):
                outline, _ = cv2.findContours(
                    seen.full_mask(k).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
                )
                polygons = [each.ravel().tolist() for each in outline if len(each) > 2]
                category = {"top": 1, "bottom": 8, "dress": 10, "outer": 4}.get(seen.slot[k])
                if category is None:  # the set has no shoes, bags and hats
                    continue
                said[f"item{k + 1}"] = {
                    "category_id": category, "bounding_box": seen.xyxy[k].tolist(), "style": k + 1,
                    "segmentation": polygons, "occlusion": 1 + i % 3, "zoom_in": 1,
                }  # fmt: skip
            (part / "annos").mkdir(exist_ok=True)
            (part / "annos" / f"{name}.json").write_text(json.dumps(said), "utf-8")
    masks, _, shown = deepfashion2.measure(tmp_path, lambda: models).tables
    rows = {row.name: row for row in masks.rows if not row.published}
    assert list(rows) == ["**all**", "occlusion slight", "occlusion medium", "occlusion heavy",
                          "zoom-in no"]  # fmt: skip
    assert value(rows["**all**"].cells[1]) == pytest.approx(1)
    assert value(rows["**all**"].cells[0]) > 0.8
    for row in ours(shown):
        assert row[0] == 1
    for path in (part / "annos").iterdir():
        path.write_text(path.read_text("utf-8").replace('"user"', '"shop"'), "utf-8")
    with pytest.raises(FeedError, match="source: user"):
        deepfashion2.measure(tmp_path, lambda: models)


def test_fashionpedia(tmp_path: Path, pictures: list[Path], models: Models) -> None:
    kinds = ["shirt, blouse", "pants", "dress", "coat", "shoe", "bag, wallet", "hat", "belt"]
    of_slot = {slot: i for i, slot in enumerate(WORN_SLOTS)}
    images: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    for i, picture in enumerate(pictures):
        put(tmp_path / "test" / f"{i}.jpg", picture)
        seen = sure(models, tmp_path / "test" / f"{i}.jpg")
        height, width = seen.image_hw
        images.append({"id": i, "file_name": f"{i}.jpg", "height": height, "width": width})
        for k in range(len(seen)):
            packed = coco_mask.encode(np.asfortranarray(seen.full_mask(k), np.uint8))
            packed["counts"] = packed["counts"].decode()
            rows.append({"id": len(rows), "image_id": i, "category_id": of_slot[seen.slot[k]],
                         "segmentation": packed, "iscrowd": 0})  # fmt: skip
        rows.append({"id": len(rows), "image_id": i, "category_id": kinds.index("belt"),
                     "segmentation": [[0, 0, 9, 0, 9, 9]]})  # fmt: skip
    said = {"images": images, "annotations": rows,
            "categories": [{"id": i, "name": name} for i, name in enumerate(kinds)]}  # fmt: skip
    path = tmp_path / fashionpedia.LISTS[0]
    path.write_text(json.dumps(said), "utf-8")
    report = fashionpedia.measure(tmp_path, lambda: models)
    assert ours(report.tables[0])[0] == pytest.approx([1, 1, 1])
    assert any("wrong where found: belt." in note for note in report.notes)
    images[0]["width"] = 7
    path.write_text(json.dumps(said), "utf-8")
    with pytest.raises(FeedError, match="another edition"):
        fashionpedia.measure(tmp_path, lambda: models)
    path.write_text("{}", "utf-8")
    with pytest.raises(FeedError, match="no COCO file"):
        fashionpedia.measure(tmp_path, lambda: models)
