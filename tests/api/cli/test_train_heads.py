"""`lapel train attributes` turns a shop's labels into heads that the engine takes up."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from api.cli.train_heads import commands
from api.console.terminal import Commands
from indexer.finetuning.label_table import read_labels
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models, load_models
from indexer.sample import image_link, views_of
from indexer.settings import Settings
from tests.support.sample_shop import Shop

app = typer.Typer(cls=Commands)


@app.callback()
def _settings(context: typer.Context, home: Path) -> None:
    """Stand for the command line's own callback."""
    context.obj = Settings(home=home)


app.add_typer(commands)


pytestmark = pytest.mark.usefixtures("_models_loaded_once")


def train(home: Path, *words: object) -> Result:
    return CliRunner().invoke(app, [str(home), "train", "attributes", *map(str, words)])


def write_labels(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def shop_rows(shop: Shop) -> list[dict[str, str]]:
    """Label the sample shop as its drawings are: its slot, and what it is for."""
    weather = {
        "outer": "cold|rain",
        "bottom": "cold|warm",
        "top": "warm",
        "dress": "warm",
        "headwear": "cold",
    }
    return [
        {
            "photo": str(shop.folder / image_link(item, views_of(item)[0])),
            "slot": item.slot,
            "group": item.group_id,
            "worn as": item.slot,
            "weather": weather.get(item.slot, "cold|warm"),
            "note": "",
        }
        for item in shop.items
    ]


@pytest.fixture(scope="module")
def trained(
    shop: Shop, models: Models, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, Path]:
    """Train once on the sample shop, with one photo that is not there."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [*shop_rows(shop), {**shop_rows(shop)[0], "photo": "missing.jpg"}]
    labels = write_labels(folder / "labels.csv", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.models.loading.load_models", lambda settings, *_: models)
        result = train(folder / "home", labels, "--keep-all", "--steps", 200, "--json")
    return result, folder / "home" / "attributes"


def test_training_tells_scores_and_skips_unknown_photos(trained: tuple[Result, Path]) -> None:
    result, folder = trained
    assert result.exit_code == 1, result.output  # one photo is missing, the others were learned
    assert "missing.jpg" in result.stderr
    assert f"LAPEL_ATTRIBUTES={folder}" in result.stderr
    told = json.loads(result.stdout)
    scores = {head["name"]: head for head in told["heads"]}
    assert set(scores) == {"worn as", "weather"}
    assert scores["worn as"]["f1"] > scores["worn as"]["baseline"]
    assert scores["weather"]["groups"] > 1


def test_files_stand_beside_the_heads(trained: tuple[Result, Path]) -> None:
    _, folder = trained
    for name in ("confusion-worn-as.png", "learning-curve.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert "| worn as |" in (folder / "report.md").read_text("utf-8")


def test_the_engine_takes_the_heads_up(trained: tuple[Result, Path], models: Models) -> None:
    _, folder = trained
    loaded = load_models(Settings(attributes=str(folder)))
    kinds = {head.name: head.kind for head in loaded.heads.heads}
    assert (kinds["worn as"], kinds["weather"]) == ("softmax", "sigmoid")
    # What the shop did not label is still told by the heads that were there.
    assert {head.name for head in models.heads.heads} <= set(kinds)
    assert loaded.fingerprint != models.fingerprint


def test_a_file_that_cannot_be_used_is_told_plainly(tmp_path: Path) -> None:
    result = train(tmp_path, tmp_path / "none.csv")
    assert result.exit_code == 2
    assert "no file" in result.stderr
    bad = write_labels(tmp_path / "bad.csv", [{"picture": "a.jpg", "category": "shirt"}])
    result = train(tmp_path, bad)
    assert result.exit_code == 2
    assert "picture, category; expected photo" in result.stderr
    lone = write_labels(tmp_path / "lone.csv", [{"photo": "a.jpg", "slot": "top"}])
    assert "at least one attribute" in train(tmp_path, lone).stderr
    wrong = write_labels(tmp_path / "slot.csv", [{"photo": "a.jpg", "slot": "hat", "kind": "x"}])
    assert "line 2: slot 'hat'" in train(tmp_path, wrong).stderr


def test_labels_that_teach_nothing_are_refused(shop: Shop, tmp_path: Path) -> None:
    rows = shop_rows(shop)[:6]
    one = write_labels(
        tmp_path / "one.csv", [{"photo": row["photo"], "kind": "shirt"} for row in rows]
    )
    result = train(tmp_path, one)
    assert result.exit_code == 2
    assert "one value only, 'shirt'" in result.stderr
    few = [{"photo": row["photo"], "kind": f"kind {i}"} for i, row in enumerate(rows)]
    result = train(tmp_path, write_labels(tmp_path / "few.csv", few))
    assert result.exit_code == 2
    assert "at least 5 photos" in result.stderr
    assert "too few photos of kind 0" in result.stderr
    assert not (tmp_path / "attributes").exists()


def test_rows_are_read_with_their_missing_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("photo, category ,material\nx/a.jpg,shirt,cotton|wool|cotton\nb.jpg,,\n")
    first, second = read_labels(path)
    assert first.path == tmp_path / "x" / "a.jpg"
    assert first.labels == {"category": ("shirt",), "material": ("cotton", "wool")}
    assert (second.labels, second.slot, second.group) == ({}, None, "b.jpg")


def test_written_heads_load_as_they_were(trained: tuple[Result, Path]) -> None:
    _, folder = trained
    heads = AttributeHeads.load(folder)
    assert next(h for h in heads.heads if h.name == "weather").labels == ("cold", "rain", "warm")
