"""The field's sets of labels and retrieval, drawn small in their own formats, and the command."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.field import __main__, deepfashion, deepfashion_labels, kagl, lookbench
from benchmarks.field.lookbench import Labels
from indexer.errors import FeedError
from indexer.models.loading import Models
from tests.support.field_sets import N, draw, ours, put, put_text, size_of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw(tmp_path_factory.mktemp("drawn"))


def test_deepfashion_retrieval(tmp_path: Path, pictures: list[Path], models: Models) -> None:
    inside, across = tmp_path / "In-shop", tmp_path / "Consumer-to-shop"
    boxes: list[str] = []
    parts: list[str] = []
    to_shop: list[str] = []
    pairs: list[str] = []
    for i, picture in enumerate(pictures):
        width, height = size_of(picture)
        names = []
        for j, said in enumerate(("query", "gallery")):
            name = f"img/WOMEN/Dresses/id_{i:08}/0{j}_1_front.jpg"
            put(inside / "Img" / name, picture, quality=80 + 15 * j)
            boxes.append(f"{name} 3 1 0 0 {width} {height}")
            parts.append(f"{name} id_{i:08} {said}")
            names.append(f"img/DRESSES/Dress/id_{i:08}/{said}.jpg")
            put(across / "Img" / names[j], picture, quality=80 + 15 * j)
            to_shop.append(f"{names[j]} 3 {2 - j} 0 0 {width} {height}")
        pairs.append(f"{names[0]} {names[1]} id_{i:08} test")
    head = "image_name clothes_type pose_type x_1 y_1 x_2 y_2"
    put_text(inside / "Anno" / deepfashion.IN_SHOP, [head, *boxes])
    partition = "image_name item_id evaluation_status"
    put_text(inside / "Eval" / deepfashion.PARTITION, [partition, *parts])
    put_text(across / "Anno" / deepfashion.TO_SHOP, [head.replace("pose", "source"), *to_shop])
    put_text(across / "Eval" / deepfashion.PARTITION, [f"pair {partition}", *pairs])
    report = deepfashion.measure(tmp_path, lambda: models)
    in_shop, to_shop_table = report.tables
    assert in_shop.title == f"In-shop retrieval, {N} queries, gallery of {N}"
    assert to_shop_table.title == f"Consumer-to-shop retrieval, {N} queries, gallery of {N}"
    for table in report.tables:
        assert all(row[0] == 1 for row in ours(table)[::2]), table.markdown()
    assert any("list_category_img.txt" in note for note in report.notes)
    put_text(inside / "Eval" / deepfashion.PARTITION, [partition])
    with pytest.raises(FeedError, match="0 query and 0 gallery photos"):
        deepfashion.measure(tmp_path, lambda: models)


def test_deepfashion_labels(tmp_path: Path, pictures: list[Path], models: Models) -> None:
    names = [f"img/Thing/img_{i:08}.jpg" for i in range(N)]
    for name, picture in zip(names, pictures, strict=True):
        put(tmp_path / "Img" / name, picture)
    width, height = size_of(pictures[0])
    anno = tmp_path / "Anno_coarse"
    kinds = ["Coat", "Jeans", "Dress", "Blouse", "Caftan"]
    marks = ["long sleeve", "floral", "cotton", "maxi", "chic"]
    put_text(anno / "list_category_cloth.txt", ["name type", *(f"{kind} 1" for kind in kinds)])
    put_text(anno / "list_attr_cloth.txt", ["name type", *(f"{m} {t}" for t, m in
             zip((4, 1, 2, 3, 5), marks, strict=True))])  # fmt: skip
    put_text(anno / "list_category_img.txt", ["n c", *(f"{n} {i + 1}" for i, n in
                                                       enumerate(names))])  # fmt: skip
    put_text(anno / "list_attr_img.txt", ["n a", *(f"{n} 1 -1 0 -1 1" for n in names)])
    put_text(anno / "list_bbox.txt", ["n x y x y", *(f"{n} 0 0 {width} {height}" for n in names)])
    parts = [f"{n} {'train' if i == 0 else 'test'}" for i, n in enumerate(names)]
    put_text(tmp_path / "Eval" / deepfashion.PARTITION, ["n p", *parts])
    read = deepfashion_labels.read_labels(tmp_path)
    assert read.categories.tolist() == [1, 2, 3]
    assert read.attributes.tolist() == [[True, False, False, False, True]] * 3
    assert read.attribute_names[0] == "long sleeve"
    assert read.attribute_types == (4, 1, 2, 3, 5)
    report = deepfashion.measure(tmp_path, lambda: models)
    category, attributes = report.tables
    assert [row.name for row in category.rows][:2] == ["**category head**", "text tower alone"]
    assert ours(category)[0][1] == 1  # of five names, the one that Lapel cannot say comes last
    assert [row.name for row in attributes.rows if not row.published] == [
        "text tower, all", "text tower, part", "text tower, style"
    ]  # fmt: skip
    assert ours(attributes)[0][1] == 1  # five of five names
    (anno / "list_bbox.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"no list_bbox.txt in .*Anno_coarse.*https://"):
        deepfashion.measure(tmp_path, lambda: models)


def test_lookbench(tmp_path: Path, pictures: list[Path], models: Models) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write(name: str, shown: Sequence[Path], quality: int) -> None:
        rows = []
        for i, picture in enumerate(shown):
            put(tmp_path / "one.jpg", picture, quality)
            rows.append({
                "image": {"bytes": (tmp_path / "one.jpg").read_bytes(), "path": None},
                "category": f"kind {i}", "main_attribute": "Red", "other_attributes": ["long"],
            })  # fmt: skip
        path = tmp_path / "v20251201" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(arrow.Table.from_pylist(rows), path)

    write("real_streetlook/query.parquet", pictures[:2], 80)
    write("real_streetlook/gallery-00000-of-00001.parquet", pictures[:2], 95)
    write("noise/gallery.parquet", pictures[2:], 95)
    report = lookbench.measure(tmp_path, lambda: models)
    (table,) = report.tables
    assert table.title == "real_streetlook, 2 queries, gallery of 4"
    assert ours(table) == [[1, 1, 1, 1]] * 3
    assert any("not measured: aigen_streetlook" in note for note in report.notes)
    broken = arrow.Table.from_pylist([{"picture": b""}])
    parquet.write_table(broken, tmp_path / "v20251201/real_streetlook/query.parquet")
    with pytest.raises(FeedError, match="not as expected"):
        lookbench.measure(tmp_path, lambda: models)


def test_lookbench_scores_by_hand() -> None:
    def labels(category: str, main: str, *others: str) -> Labels:
        return Labels(category, main, frozenset({main, *others}))

    asked = [labels("coat", "red", "long")] * 2
    gallery = [labels("coat", "red", "short"), labels("coat", "red", "long", "wool"),
               labels("dress", "red", "long"), labels("coat", "blue")]  # fmt: skip
    similar = np.array([[4, 3, 2, 1], [1, 2, 4, 3]], np.float32)
    fine, whole, coarse, ndcg = lookbench.scores_of(asked, gallery, similar)
    assert (fine.value, whole.value, coarse.value) == (0.5, 0, 0.5)
    # Gains 0.5, 1, 0, 0 in the first order, 0, 0, 1, 0.5 in the second; best is 1, 0.5.
    best = 1 + 0.5 / np.log2(3)
    orders = (0.5 + 1 / np.log2(3)) / best, (1 / np.log2(4) + 0.5 / np.log2(5)) / best
    assert ndcg.value == pytest.approx(np.mean(orders))
    same = lookbench.scores_of(asked, gallery[1:], np.ones((2, 3), np.float32))
    assert [measure.value for measure in same[:3]] == [0, 0, 0]


def test_lookbench_attributes_are_a_list_or_a_text() -> None:
    for said in (["Long ", "wool"], '["long", "wool"]', "long, wool", "long|wool"):
        row = {"category": "Coat", "main_attribute": "Red", "other_attributes": said}
        assert lookbench.labels_of(row) == Labels("coat", "red", frozenset({"red", "long", "wool"}))
    assert lookbench.labels_of({}) == Labels("", "", frozenset())


def test_kagl_from_the_command_line(
    tmp_path: Path, pictures: list[Path], models: Models, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lines = ["id,title,sub_category,article_type,colour,usage,image"]
    for i, picture in enumerate(pictures):
        put(tmp_path / "images" / f"{i}.jpg", picture)
        lines.append(f"{i},Red Shirt {max(1, i)},Topwear,Shirts,Red,Casual,images/{i}.jpg")
    (tmp_path / "products.csv").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.setattr(__main__, "load_models", lambda settings: models)
    document = tmp_path / "field.md"
    __main__.main(["kagl", "--data", str(tmp_path), "--json", "--write", str(document)])
    said = json.loads(capsys.readouterr().out)
    assert said["name"] == "kagl"
    searched, alone, alike = said["tables"][0]["rows"][:3]
    assert searched["cells"][1]["value"] == alone["cells"][1]["value"] == 1  # four products
    assert 0 < alone["cells"][2]["value"] < 1
    # Of two products of one title the farther one is found with the nearer.
    assert alike["cells"][2]["value"] > alone["cells"][2]["value"]
    assert f"2 of the {N} titles belong to several products" in " ".join(said["notes"])
    assert "## KAGL" in document.read_text("utf-8")


def test_the_whole_kagl_set_is_read_as_kaggle_has_it(tmp_path: Path, pictures: list[Path]) -> None:
    put(tmp_path / "images" / "1.jpg", pictures[0])
    put(tmp_path / "images" / "2.jpg", pictures[1])
    head = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    rows = ["1,Men,Apparel,Topwear,Tshirts,Blue,Fall,2011,Casual,Blue T-shirt, slim",
            "2,Men,Footwear,Shoes,Casual Shoes,Black,Fall,2011,Casual,Black Shoes",
            "3,Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,No picture"]  # fmt: skip
    styles = tmp_path / kagl.STYLES
    styles.write_text("\n".join([f"{head}productDisplayName", *rows]) + "\n", "utf-8")
    shirt, shoes = kagl.read_styles(tmp_path)
    assert (shirt.title, shirt.slot, shirt.colour) == ("Blue T-shirt, slim", "top", "Blue")
    assert (shoes.article_type, shoes.slot) == ("Casual Shoes", "shoes")
    styles.write_text(f"{head}productDisplayName\n{rows[2]}\n", "utf-8")
    with pytest.raises(FeedError, match="none of the pictures"):
        kagl.read_styles(tmp_path)
    styles.write_text("id,title\n", "utf-8")
    with pytest.raises(FeedError, match="lacks the columns articleType"):
        kagl.read_styles(tmp_path)


@pytest.mark.parametrize("name", list(__main__.SETS))
def test_what_is_missing_is_named_with_where_to_get_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SystemExit) as stopped:
            __main__.main([name, "--data", str(folder)])
        assert stopped.value.code == 2
        message = capsys.readouterr().err
        assert str(folder) in message
        assert "https://" in message
