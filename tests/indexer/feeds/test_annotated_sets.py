"""The research sets: annotations become boxes, outlines, groups and fields of items."""

import json
from pathlib import Path

import pytest

from indexer.errors import FeedError
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord, RowError

IN_SHOP = "img/WOMEN/Blouses_Shirts/id_00000001/02_1_front.jpg"
TO_SHOP = (
    "img/TOPS/T_Shirt/id_00000007/shop_01.jpg",
    "img/TOPS/T_Shirt/id_00000007/comsumer_01.jpg",
)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def items(folder: Path) -> list[ItemRecord]:
    rows = list(read_feed(folder))
    assert all(isinstance(row, ItemRecord) for row in rows), rows
    return [row for row in rows if isinstance(row, ItemRecord)]


def test_in_shop(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"Img/{IN_SHOP}": "",
            "Anno/list_bbox_inshop.txt": "1\nimage_name clothes_type pose_type x_1 y_1 x_2 y_2\n"
            f"{IN_SHOP} 1 3 50 49 208 235\n",
            "Anno/list_landmarks_inshop.txt": "1\nimage_name clothes_type variation_type v x y\n"
            f"{IN_SHOP} 1 1 0 50 51 0 120 49\n",
            "Anno/list_attr_cloth.txt": "2\nattribute_name\na-line skirt\nlace\n",
            "Anno/list_attr_items.txt": "1\nitem_name attribute_labels\nid_00000001 -1 1\n",
            "Anno/list_description_inshop.json": json.dumps(
                [{"item": "id_00000001", "color": "Cream", "description": ["Sheer.", "Light."]}]
            ),
            "Eval/list_eval_partition.txt": "1\nimage_name item_id evaluation_status\n"
            f"{IN_SHOP} id_00000001 query\n",
        },
    )
    (item,) = items(tmp_path)
    assert (item.item_id, item.group_id, item.photos) == (
        IN_SHOP,
        "id_00000001",
        (f"Img/{IN_SHOP}",),
    )
    assert (item.category, item.slot, item.xyxy) == ("blouse", "top", (50, 49, 208, 235))
    assert (item.colour, item.description) == ("Cream", "Sheer. Light.")
    assert item.fields == {
        "landmarks": "0 50 51 0 120 49", "partition": "query", "attributes": "lace",
        "kind": "Blouses Shirts", "department": "WOMEN", "pose": "back",
    }  # fmt: skip


def test_consumer_to_shop(tmp_path: Path) -> None:
    shop, consumer = TO_SHOP
    write(
        tmp_path,
        {
            "Anno/list_bbox_consumer2shop.txt": "3\nimage_name clothes_type source_type x_1 y_1 "
            f"x_2 y_2\n{shop} 1 1 1 2 30 40\n{consumer} 1 2 5 6 70 80\n"
            "../../x.jpg 1 1 1 2 3 4\nbad\n",
            "Eval/list_eval_partition.txt": "1\nimage_pair_name_1 image_pair_name_2 item_id "
            f"evaluation_status\n{consumer} {shop} id_00000007 test\n",
        },
    )
    first, second, *errors = read_feed(tmp_path)
    assert isinstance(first, ItemRecord)
    assert isinstance(second, ItemRecord)
    assert (first.fields["source"], second.fields["source"]) == ("shop", "consumer")
    assert first.fields["partition"] == second.fields["partition"] == "test"
    assert first.group_id == second.group_id == "id_00000007"
    assert (first.category, second.xyxy, second.photos) == ("t-shirt", (5, 6, 70, 80), (consumer,))
    assert [error.row for error in errors if isinstance(error, RowError)] == [5, 6]


@pytest.fixture
def deepfashion2(tmp_path: Path) -> Path:
    """Two photos with annotations, of the shop's and of a customer's, and a file cut off."""
    garment = {
        "category_id": 8, "category_name": "trousers", "bounding_box": [10, 20, 110, 220],
        "style": 1,
        "segmentation": [[10, 20, 110, 20, 60.5, 220]], "landmarks": [10, 20, 2, 0, 0, 0],
        "scale": 3, "occlusion": 1, "zoom_in": 1, "viewpoint": 2,
    }  # fmt: skip
    shown = {"source": "shop", "pair_id": 9, "item1": garment, "item2": {"category_id": 99}}
    write(
        tmp_path,
        {
            "train/annos/000001.json": json.dumps(shown),
            "train/annos/000002.json": "{",
            "train/image/000001.jpg": "",
            "validation/annos/000001.json": json.dumps({"item1": garment | {"style": 0}}),
            "validation/image/000001.jpg": "",
        },
    )
    return tmp_path


def test_a_garment_of_deepfashion2(deepfashion2: Path) -> None:
    first = next(iter(read_feed(deepfashion2)))
    assert isinstance(first, ItemRecord)
    assert (first.item_id, first.group_id) == ("train/000001/item1", "9/1/trousers")
    assert (first.photos, first.slot) == (("train/image/000001.jpg",), "bottom")
    assert first.xyxy == (10, 20, 110, 220)
    assert first.polygons == ((10.0, 20.0, 110.0, 20.0, 60.5, 220.0),)
    assert first.fields["landmarks"] == "10 20 2 0 0 0"
    assert (first.fields["viewpoint"], first.fields["pair_id"]) == ("2", "9")


def test_errors_of_deepfashion2_and_a_garment_without_a_style(deepfashion2: Path) -> None:
    _, no_category, broken, last = read_feed(deepfashion2)
    assert isinstance(no_category, RowError)
    assert "expected 1 to 13" in no_category.detail
    assert isinstance(broken, RowError)
    assert broken.row == 2
    assert isinstance(last, ItemRecord)
    assert last.group_id == last.item_id


def test_a_folder_without_annotations_is_none_of_them(tmp_path: Path) -> None:
    for name in ("deepfashion", "deepfashion2"):
        with pytest.raises(FeedError, match="as DeepFashion"):
            list(read_feed(tmp_path, name))
    assert list(read_feed(tmp_path)) == []
