"""`lapel train encoder` keeps an encoder tuned on a shop's photos only if it is better."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from typer.testing import Result

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import ModelError
from indexer.feeds import read_feed
from indexer.finetuning.full_training import FullTuning
from indexer.finetuning.head_transfer import agreeing_heads, agreement, transfer_heads
from indexer.finetuning.linear_map import Lessons, fit_map, mapped
from indexer.finetuning.map_folding import fold, read_state, write_encoder
from indexer.fused_vector import unit_rows
from indexer.images.photo import read_photo
from indexer.inference.runtime import Runtime
from indexer.ingest.importer import Importer
from indexer.models.attribute_heads import AttributeHeads, Head
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import Models
from indexer.models.open_clip_towers import FILES
from indexer.models.registry import attributes_source, encoder_source, pulled_models
from indexer.sample import unpack_shop
from indexer.settings import Settings
from indexer.system.checksums import check_sums
from search.finetuning.encoder_trial import Ends, Gain, Verdict
from search.finetuning.tune_encoder import text_map
from tests.support.command_line import lapel_in
from tests.support.fake_models import SeesNothing
from tests.support.sample_shop import SHOP_ITEMS
from tests.support.small_catalogue import Stop

ITEMS = SHOP_ITEMS[:30]
Train = Callable[..., Result]


@dataclass(frozen=True)
class Tiny:
    """A small shop, and a folder of the tiny model with heads that read it."""

    feed: Path
    encoder: Path
    attributes: Path

    def settings(self, home: Path) -> Settings:
        source, heads = f"local-dir:{self.encoder}", str(self.attributes)
        return Settings(home=home, encoder=source, attributes=heads)


def load(settings: Settings, *_: object) -> Models:
    """Load what the settings name, but a detector that sees nothing: whole photos are garments."""
    encoder = ClipEncoder.load(encoder_source(settings), Runtime.choose("cpu"))
    folder = attributes_source(settings)
    heads = AttributeHeads.load(folder) if folder else AttributeHeads([])
    return Models(SeesNothing(), encoder, heads)


@pytest.fixture(autouse=True)
def _loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.models.loading.load_models", load)


@pytest.fixture(scope="module")
def drawn_shop(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Tiny:
    folder = tmp_path_factory.mktemp("tuning")
    feed = unpack_shop(folder, ITEMS)
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 16)).astype(np.float32) * 4
    head = Head("kind", "softmax", ("a", "b", "c", "d"), weight, np.zeros(4, np.float32))
    AttributeHeads([head]).save(folder / "heads")
    return Tiny(feed, tiny, folder / "heads")


@pytest.fixture
def train(drawn_shop: Tiny, monkeypatch: pytest.MonkeyPatch) -> Train:
    def run(settings: Settings, *words: object, feed: Path = drawn_shop.feed) -> Result:
        monkeypatch.setenv("LAPEL_ENCODER", settings.encoder)
        monkeypatch.setenv("LAPEL_ATTRIBUTES", settings.attributes)
        return lapel_in(settings.home, "train", "encoder", feed, *words)

    return run


def told(result: Result) -> dict[str, Any]:
    assert result.stdout, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def rows_of(encoder: Path, folder: Path, view: str) -> NDArray[np.float32]:
    photos = [read_photo(folder / "images" / f"{item.item_id}_{view}.jpg") for item in ITEMS]
    served = ClipEncoder.load(f"local-dir:{encoder}", Runtime.choose("cpu"))
    return served.embed([photo.pixels for photo in photos])


def loud_settings(drawn_shop: Tiny, tmp_path: Path) -> Settings:
    """Write the tiny encoder with what tells a worn from a lying garment thirty times as loud."""
    shop = drawn_shop.feed.parent
    apart = rows_of(drawn_shop.encoder, shop, "worn") - rows_of(drawn_shop.encoder, shop, "flat")
    loud = unit_rows(apart.mean(axis=0, keepdims=True))
    change = np.eye(16, dtype=np.float32) + 30 * loud.T @ loud
    state = fold(read_state(drawn_shop.encoder), change, text_map(change))
    write_encoder(drawn_shop.encoder, tmp_path / "loud", state)
    source = f"local-dir:{tmp_path / 'loud'}"
    return Settings(home=tmp_path / "home", encoder=source, attributes=str(drawn_shop.attributes))


def test_what_finds_no_more_is_not_kept_unless_asked(
    drawn_shop: Tiny, train: Train, tmp_path: Path
) -> None:
    settings = drawn_shop.settings(tmp_path / "home")
    refused = train(settings, "--steps", 1, "--json")
    assert refused.exit_code == 1, refused.stderr
    report = told(refused)
    assert (report["kept"], report["is_better"], report["folder"]) == (False, False, None)
    assert "not better: the interval of the gain in mrr is not above 0" in refused.stderr
    assert not pulled_models(settings)
    (work,) = (settings.home / "training").iterdir()
    assert (work / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    described = {path.name: path.stat().st_mtime_ns for path in work.glob("crops/*.jpg")}
    views = [path.stat().st_mtime_ns for path in work.glob("views-*.npy")]
    assert len(described) == 2 * len(ITEMS)
    again = train(settings, "--steps", 1, "--keep-anyway")
    assert again.exit_code == 1
    assert "| recall_at_1 |" in again.stdout
    assert {path.name: path.stat().st_mtime_ns for path in work.glob("crops/*.jpg")} == described
    assert [path.stat().st_mtime_ns for path in work.glob("views-*.npy")] == views
    (model,) = pulled_models(settings)
    assert "lapel reembed" in again.stderr
    assert f"export LAPEL_ENCODER=local-dir:{model.folder}" in again.stderr


def test_a_better_encoder_is_kept_and_the_catalogue_goes_over_to_it(
    drawn_shop: Tiny, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = drawn_shop.feed.parent
    settings = loud_settings(drawn_shop, tmp_path)
    catalogue = Catalogue.open(settings, create=True)
    records = read_feed(drawn_shop.feed)
    Importer(catalogue, Describer(load(settings)), shop, shop).run(records)
    kept = train(settings, "--json")
    assert kept.exit_code == 0, kept.stderr
    report = told(kept)
    gain = next(each for each in report["gains"] if each["measure"] == "mrr")
    assert gain["gain"][1] > 0
    assert report["by_weights"]["gain"][0] > 0
    folder = Path(report["folder"])
    assert (folder / "report.json").is_file()
    assert not check_sums(folder)
    own = settings.model_copy(update={"encoder": f"local-dir:{folder}"})
    if not report["heads_lost"]:
        own = own.model_copy(update={"attributes": str(folder / "attributes")})
    else:
        own = own.model_copy(update={"attributes": ""})
    models = load(own)
    assert models.fingerprint != load(settings).fingerprint
    monkeypatch.setenv("LAPEL_ENCODER", own.encoder)
    monkeypatch.setenv("LAPEL_ATTRIBUTES", own.attributes)
    done = lapel_in(own.home, "reembed")
    assert done.exit_code == 0, done.stderr
    assert Catalogue.open(own).row().fingerprint == models.fingerprint
    found = lapel_in(own.home, "search", "--text", "blue shirt", "--json")
    assert found.exit_code == 0, found.stderr
    assert found.stdout


def test_the_whole_tower_goes_on_after_a_stop(
    drawn_shop: Tiny, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = drawn_shop.settings(tmp_path / "home")
    words = ("--full", "--epochs", 2, "--keep-anyway", "--json")
    whole, calls = FullTuning._held_out_loss, []

    def stopped(run: FullTuning) -> float:
        calls.append(run)
        if len(calls) == 2:
            raise Stop
        return whole(run)

    with monkeypatch.context() as patch:
        patch.setattr(FullTuning, "_held_out_loss", stopped)
        with pytest.raises(Stop):
            train(settings, *words)
    (checkpoint,) = (settings.home / "training").glob("*/full.pt")
    first = torch.load(checkpoint, weights_only=True)["curve"]
    assert len(first) == 1
    report = told(train(settings, *words))
    assert [tuple(point) for point in report["curve"]][:1] == first
    assert len(report["curve"]) == 2
    tuned, old = (
        load_file(Path(each) / FILES[0]) for each in (report["folder"], drawn_shop.encoder)
    )
    changed = [name for name in old if not torch.equal(tuned[name], old[name])]
    assert changed
    assert all(name.startswith("visual.") for name in changed)


def test_too_few_products_are_refused(drawn_shop: Tiny, train: Train, tmp_path: Path) -> None:
    lines = drawn_shop.feed.read_text("utf-8").splitlines(keepends=True)
    few = drawn_shop.feed.with_name("few.tsv")
    few.write_text("".join(lines[:6]), "utf-8")
    result = train(drawn_shop.settings(tmp_path / "home"), feed=few)
    assert result.exit_code == 2
    assert "at least 10 are needed" in result.stderr


def test_weights_that_are_no_numbers_are_refused(
    drawn_shop: Tiny, train: Train, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(drawn_shop.encoder, tmp_path / "broken"))
    state = load_file(broken / FILES[0])
    save_file({**state, "visual.proj": state["visual.proj"] * float("nan")}, broken / FILES[0])
    settings = Settings(home=tmp_path / "home", encoder=f"local-dir:{broken}")
    result = train(settings)
    assert result.exit_code == 2
    assert "no numbers" in result.stderr
    views = np.full((4, 2, 3), np.nan, np.float32)
    numbers = np.array([0, 0, 1, 1])
    with pytest.raises(ModelError, match="no numbers"):
        fit_map(Lessons(views, numbers, numbers), 2, 0)


def test_an_encoder_without_a_last_projection_is_told_plainly(drawn_shop: Tiny) -> None:
    state = read_state(drawn_shop.encoder)
    bare = {name: tensor for name, tensor in state.items() if name != "visual.proj"}
    with pytest.raises(ModelError, match=r"image tower ends in none of the projections.*--full"):
        fold(bare, np.eye(16, dtype=np.float32), None)
    with pytest.raises(ModelError, match="lapel models pull"):
        read_state(drawn_shop.feed.parent)


def test_texts_keep_their_products_with_pictures() -> None:
    rng = np.random.default_rng(0)
    change = np.eye(8, dtype=np.float32) + rng.normal(0, 0.1, (8, 8)).astype(np.float32)
    texts, pictures = (rng.normal(size=(5, 8)).astype(np.float32) for _ in range(2))
    moved = (texts @ text_map(change).T) @ (pictures @ change.T).T
    np.testing.assert_allclose(moved, texts @ pictures.T, atol=1e-4)


def test_heads_say_the_same_or_are_left_out() -> None:
    rng = np.random.default_rng(0)
    before = unit_rows(rng.normal(size=(200, 8)).astype(np.float32))
    one, many = (rng.normal(size=(n, 8)).astype(np.float32) for n in (2, 3))
    heads = AttributeHeads(
        [
            Head("one", "softmax", ("a", "b"), one, np.zeros(2, np.float32)),
            Head("many", "sigmoid", ("x", "y", "z"), many, np.zeros(3, np.float32)),
        ]
    )
    change = np.eye(8, dtype=np.float32) + rng.normal(0, 0.05, (8, 8)).astype(np.float32)
    after = mapped(change, before)
    moved = transfer_heads(heads, before[:100], after[:100], np.linalg.inv(change))
    shares = agreement(heads, moved, before[100:], after[100:])
    assert min(shares.values()) >= 0.95
    assert agreeing_heads(moved, shares)[1] == []
    noise = unit_rows(rng.normal(size=(200, 8)).astype(np.float32))
    lost = transfer_heads(heads, before[:100], noise[:100], np.eye(8, dtype=np.float32))
    shares = agreement(heads, lost, before[100:], noise[100:])
    assert agreeing_heads(lost, shares)[1] == ["one", "many"]


@pytest.mark.parametrize(
    ("mrr", "first", "weights", "text", "against"),
    [
        ((0.1, 0.01, 0.2), 0.1, 0.1, None, ""),
        ((0.1, -0.01, 0.2), 0.1, 0.1, None, "gain in mrr is not above 0"),
        ((0.1, 0.01, 0.2), -0.1, 0.1, None, "recall_at_1 is lower"),
        ((0.1, 0.01, 0.2), 0.1, -0.1, None, "weight of the visual part"),
        ((0.1, 0.01, 0.2), 0.1, 0.1, (-0.2, -0.3, -0.1), "texts clearly find less"),
        ((0.1, 0.01, 0.2), 0.1, 0.1, (-0.1, -0.3, 0.1), ""),
    ],
)
def test_what_counts_as_better(
    mrr: Ends, first: float, weights: float, text: Ends | None, against: str
) -> None:
    def gain(name: str, ends: Ends) -> Gain:
        return Gain(name, (0.5, 0.4, 0.6), (0.6, 0.5, 0.7), ends)

    gains = gain("mrr", mrr), gain("recall_at_1", (first, -1.0, 1.0))
    heard = gain("text", text) if text else None
    verdict = Verdict(20, 10, gains, gain("weights", (weights, -1.0, 1.0)), heard)
    assert verdict.is_better == (not against)
    assert against in "; ".join(verdict.reasons)
