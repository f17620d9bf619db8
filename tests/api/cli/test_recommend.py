"""A small set in CCP's format goes through both commands to tables, card and benchmark."""

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import benchmarks.quality.outfits
import training.heads.outfits
from indexer.colour.histogram import HISTOGRAM_VERSION
from indexer.errors import ModelError
from indexer.models.loading import Models
from indexer.system.checksums import check_sums
from search.recommend.compatibility import TABLE, read_compatibility
from training.data.ccp import read_validation_ids
from training.data.location import tenth_of
from training.heads.outfit_evaluation import ASKED, SHIPPED, evaluate_outfits, outfit_table
from training.heads.outfit_photos import SEEN_AGAIN, Wardrobe
from training.heads.outfits import learn, write_tables
from training.sample_shop import Look, draw_look

# Each is what one kind of person wears; no two garments of it are of one colour.
STYLES = (
    {"top": ("t-shirt", "red"), "bottom": ("trousers", "navy"), "dress": ("dress", "green"),
     "outer": ("coat", "black")},
    {"top": ("t-shirt", "white"), "bottom": ("skirt", "black"), "dress": ("dress", "red"),
     "outer": ("puffer jacket", "blue")},
    {"top": ("t-shirt", "navy"), "bottom": ("shorts", "white"), "dress": ("dress", "blue"),
     "outer": ("puffer jacket", "red")},
    {"top": ("t-shirt", "black"), "bottom": ("trousers", "brown"), "dress": ("dress", "yellow"),
     "outer": ("puffer jacket", "green")},
)  # fmt: skip
VARIANTS = 2  # drawings of each garment
TRAINED, HELD_OUT = 16, 8  # photos: of each style as many


@dataclass(frozen=True)
class Learned:
    """What `python -m training.heads.outfits` made of the small set, and said."""

    kept: Path
    out: Path
    said: str


@cache
def piece(style: int, slot: str, variant: int) -> NDArray[np.uint8]:
    category, colour = STYLES[style][slot]
    drawn = draw_look(Look(category, colour, "plain", variant), "flat", variant)
    return np.asarray(cv2.resize(drawn.pixels, (240, 320), interpolation=cv2.INTER_AREA), np.uint8)


def look(number: int) -> NDArray[np.uint8]:
    """Lay a person's four garments side by side."""
    style, turn = number % len(STYLES), number // len(STYLES)
    top, bottom, dress, outer = (
        piece(style, slot, (turn >> i) % VARIANTS) for i, slot in enumerate(STYLES[0])
    )
    return np.vstack([np.hstack([top, bottom]), np.hstack([dress, outer])])


def photo_ids() -> tuple[list[str], list[str], list[str]]:
    """Return ids to learn from, held out ones, and those among both that have a mask."""
    validation = sorted(read_validation_ids())
    others = [f"{i:04}" for i in range(1, 2000) if f"{i:04}" not in validation]
    tenth = [name for name in others if tenth_of(name) == 0]
    rest = [name for name in others if tenth_of(name) != 0]
    half = TRAINED // 2
    # With a mask the list decides, whatever the tenth; without one the tenth does.
    masked = [*tenth[: half // 2], *rest[: half // 2]]
    train = [*masked, *rest[half : half + half]]
    held = [*validation[: HELD_OUT // 2], *tenth[half : half + HELD_OUT // 2]]
    return train, held, [*masked, *validation[: HELD_OUT // 2]]


@pytest.fixture(scope="module")
def drawn_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared folder with looks in it, one of them seen again, and one file that is no picture."""
    shared = tmp_path_factory.mktemp("shared")
    folder = shared / "data" / "ccp"
    (folder / "photos").mkdir(parents=True)
    (folder / "masks").mkdir()
    train, held, masked = photo_ids()
    for part in (train, held, sorted(SEEN_AGAIN)):
        for number, id_ in enumerate(part):
            cv2.imwrite(str(folder / "photos" / f"{id_}.jpg"), look(number)[..., ::-1])
    for id_ in masked:  # only that there is one is read
        cv2.imwrite(str(folder / "masks" / f"{id_}.png"), np.zeros((2, 2), np.uint8))
    (folder / "photos" / "broken.jpg").write_bytes(b"no picture")
    tags: dict[str, list[str]] = {id_: [] for id_ in [*train, *held, *SEEN_AGAIN, "broken"]}
    (folder / "annotations.json").write_text(json.dumps({"labels": ["null"], "tags": tags}))
    return shared


def run(main: Callable[[], None], models: Models, shared: Path, *words: str | Path) -> str:
    """Run a command with the models that are loaded already; return what it says."""
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr("training.heads.outfit_photos.load_models", lambda settings: models)
        patch.setenv("LAPEL_SHARED", str(shared))
        patch.setattr(sys, "argv", ["outfits", *map(str, words)])
        main()
    return said.getvalue()


@pytest.fixture(scope="module")
def learned(drawn_set: Path, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("learned")
    kept, out = folder / "new" / "kept", folder / "matching"
    said = run(training.heads.outfits.main, models, drawn_set, "--out", out, "--kept", kept)
    return Learned(kept, out, said)


def test_garments_of_one_photo_are_all_learned_from_or_all_held_out(learned: Learned) -> None:
    wardrobe = Wardrobe.load(learned.kept)
    train, held, _ = photo_ids()
    assert set(wardrobe.photo[~wardrobe.held_out]) == set(train)
    assert set(wardrobe.photo[wardrobe.held_out]) == set(held)
    worn = list(zip(wardrobe.photo, wardrobe.slot, strict=True))
    assert len(worn) == len(set(worn)) > 3 * (TRAINED + HELD_OUT)  # one of each slot


def test_the_card_has_what_was_measured(learned: Learned) -> None:
    card = (learned.out / "MODEL_CARD.md").read_text("utf-8")
    assert HISTOGRAM_VERSION in card
    assert f"learned from | {TRAINED} photos" in card
    assert f"garments of its slot: {HELD_OUT} photos" in card
    assert learned.said.count(SHIPPED) == len(ASKED)
    assert learned.said.strip() in card
    assert check_sums(learned.out) == []


def test_the_written_tables_find_what_was_worn_together(learned: Learned, models: Models) -> None:
    """Mere likeness of colours does not: no two garments of a person are of one colour."""
    wardrobe = Wardrobe.load(learned.kept)
    measured = evaluate_outfits(wardrobe, models.layout, read_compatibility(learned.out))
    assert outfit_table(measured) == learned.said.strip()
    place = {
        way: float(np.mean(np.concatenate([each.places for each in measured if each.way == way])))
        for way in (SHIPPED, "same colours")
    }
    # Two of eight are of the right style: at best the right one is the second every other time.
    assert place[SHIPPED] < 0.25 < place["same colours"]


def test_the_same_is_learned_of_what_was_kept(learned: Learned, models: Models) -> None:
    """Written and read again, in half floats, from the photos; here from what was kept of them."""
    wardrobe, written = Wardrobe.load(learned.kept), read_compatibility(learned.out)
    colours = wardrobe.vectors[:, models.layout.slices()["colour"]]
    kinds = wardrobe.category.tolist()
    for slots, table in learn(wardrobe, models.layout).items():
        read = written.table(*slots)
        assert read is not None
        assert read.categories == table.categories
        one, other = (
            t.score(
                t.colour_scores(colours, colours),
                t.kind_scores(kinds, kinds),
                t.usual_scores(colours),
            )
            for t in (table, read)
        )
        assert np.ptp(one) > 0.5
        assert np.abs(one - other).max() < 0.01


def test_tables_for_other_histograms_are_refused(
    learned: Learned, tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = learn(Wardrobe.load(learned.kept), models.layout)
    monkeypatch.setattr("training.heads.outfits.HISTOGRAM_VERSION", "lab-of-yesterday")
    write_tables(tables, tmp_path / TABLE)
    with pytest.raises(ModelError, match=r"lab-of-yesterday.*python -m training\.heads\.outfits"):
        read_compatibility(tmp_path)
    (tmp_path / TABLE).write_bytes((learned.out / TABLE).read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"cannot be read.*python -m training\.heads\.outfits"):
        read_compatibility(tmp_path)


def test_a_set_that_is_not_there_is_named(tmp_path: Path, models: Models) -> None:
    words = r"no ccp set at .*set LAPEL_SHARED to the folder that holds data/ccp"
    with pytest.raises(FileNotFoundError, match=words):
        run(training.heads.outfits.main, models, tmp_path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError, match=words):
        run(benchmarks.quality.outfits.main, models, tmp_path)


def test_what_was_kept_is_read_again_only_for_the_same_models(
    learned: Learned, tmp_path: Path, models: Models
) -> None:
    absent = tmp_path / "absent"  # there is no set: only what was kept
    said = run(benchmarks.quality.outfits.main, models, absent, "--kept", learned.kept)
    ways_asked = [tuple(row.split(" | ")[:2]) for row in said.splitlines()[2:]]
    assert len(ways_asked) == len(set(ways_asked)) == 6 * len(ASKED)
    other = tmp_path / "other"
    replace(Wardrobe.load(learned.kept), fingerprint="others").save(other)
    with pytest.raises(FileNotFoundError, match="no ccp set"):
        run(benchmarks.quality.outfits.main, models, absent, "--kept", other)
