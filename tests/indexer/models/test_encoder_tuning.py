"""`lapel train encoder` keeps an encoder tuned on a shop's photos only if it is better."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from indexer.errors import ModelError
from indexer.finetuning.full_training import FullTuning
from indexer.finetuning.linear_map import Lessons, fit_map
from indexer.finetuning.map_folding import fold, read_state
from indexer.models.open_clip_towers import FILES
from indexer.models.registry import pulled_models
from indexer.settings import Settings
from tests.support.encoder_tuning import ITEMS, Tiny, Train, told
from tests.support.small_catalogue import Stop

pytestmark = pytest.mark.usefixtures("_tiny_models")


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
