"""Networks exported, compiled, cached, compared and refused: real ones, small where they can be."""

import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from indexer.errors import ModelError, SettingsError
from indexer.inference import int8_quantisation as calibration
from indexer.inference.conversion_check import min_cosine
from indexer.inference.export_cache import XML, ExportCache
from indexer.inference.int8_quantisation import ENOUGH, catalogue_pictures
from indexer.inference.openvino_network import has_bf16
from indexer.inference.runtime import Loaded, ModelSource, Runtime
from indexer.models.encoder import BOUNDS, ClipEncoder
from indexer.settings import Settings
from indexer.storage.thumbnails import keep_thumbnail
from indexer.system.devices import usual_threads
from tests.indexer.description.test_describe import drawn as drawn_photos


class Small(nn.Module):
    """A network whose answers depend on every pixel."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.SiLU(), nn.Flatten(), nn.Linear(8 * 15 * 15, 16)
        )

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(batch)
        return found


def small_source(
    bounds: dict[str, float] | None = None, loads: list[int] | None = None
) -> ModelSource:
    def load() -> Loaded:
        if loads is not None:
            loads.append(1)
        return Loaded(Small(), {"fingerprint": "5ma11"})

    def prepare(facts: object, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        squares = np.stack([each[:32, :32] for each in pictures]).astype(np.float32) / 255
        return np.ascontiguousarray(squares.transpose(0, 3, 1, 2))

    return ModelSource(
        "network", "key", load, prepare,
        lambda facts, exact, other: min_cosine(exact[0], other[0]),
        {**BOUNDS, **(bounds or {})},  # type: ignore[dict-item]
    )  # fmt: skip


def compiling(folder: Path, precision: str = "fp32") -> Runtime:
    return Runtime("cpu", precision, ExportCache(folder))  # type: ignore[arg-type]


def batch_of(n: int, side: int = 32) -> NDArray[np.float32]:
    return np.random.default_rng(n).random((n, 3, side, side), np.float32)


def test_it_is_exported_once_and_answers_as_torch_does(tmp_path: Path) -> None:
    loads: list[int] = []
    for _ in range(3):
        network = compiling(tmp_path).network(small_source(loads=loads))
        assert str(network.placement) == "cpu, openvino, fp32"
    assert len(loads) == 1
    exact = Runtime.choose("cpu").network(small_source())
    assert str(exact.placement) == "cpu, torch, fp32"
    batch = batch_of(5)
    np.testing.assert_allclose(network.run(batch)[0], exact.run(batch)[0], atol=1e-5)
    assert network.facts == exact.facts


def test_a_picture_is_answered_the_same_to_the_bit_alone_and_among_others(tmp_path: Path) -> None:
    network = compiling(tmp_path, "auto").network(small_source())
    batch = batch_of(7)
    together = network.run(batch)[0]
    for i in range(7):
        assert np.array_equal(network.run(batch[i : i + 1])[0][0], together[i])


@pytest.mark.parametrize("name", [XML, "model.bin", "SHA256SUMS"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_export_is_made_again(tmp_path: Path, name: str, damage: str) -> None:
    compiling(tmp_path).network(small_source())
    (path,) = tmp_path.rglob(name)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole[:-1] + b"?")
    loads: list[int] = []
    network = compiling(tmp_path).network(small_source(loads=loads))
    assert (network.placement.engine, len(loads)) == ("openvino", 1)
    assert ExportCache(tmp_path).find("5ma11") is not None


def test_damaged_notes_are_written_again(tmp_path: Path) -> None:
    compiling(tmp_path).network(small_source())
    for path in tmp_path.rglob("*.json"):
        path.write_text("{", "utf-8")
    loads: list[int] = []
    compiling(tmp_path).network(small_source(loads=loads))
    compiling(tmp_path).network(small_source(loads=loads))
    assert len(loads) == 1


def test_of_two_processes_that_export_at_once_both_succeed(tmp_path: Path) -> None:
    cache = ExportCache(tmp_path)

    def write(folder: Path) -> None:
        (folder / XML).write_text("mine", "utf-8")

    def write_while_another_does(folder: Path) -> None:
        cache.add("one", write)
        (folder / XML).write_text("later", "utf-8")

    path = cache.add("one", write_while_another_does)
    assert path == cache.find("one")
    assert path.read_text("utf-8") == "mine"
    assert [each.name for each in path.parent.parent.iterdir()] == ["one"]


def test_where_nothing_can_be_written_torch_runs_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("in the way", "utf-8")
    runtime = compiling(tmp_path / "cache")
    for _ in range(2):
        assert str(runtime.network(small_source()).placement) == "cpu, torch, fp32"
    (said,) = caplog.messages
    assert "several times slower" in said
    assert str(tmp_path / "cache") in said


def test_on_a_full_disk_torch_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # the weights take 118 kB
    try:
        network = compiling(tmp_path).network(small_source())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(network.placement) == "cpu, torch, fp32"
    assert "several times slower" in caplog.text
    assert ExportCache(tmp_path).find("5ma11") is None
    assert str(compiling(tmp_path).network(small_source()).placement) == "cpu, openvino, fp32"


def test_a_conversion_that_answers_otherwise_is_refused_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    impossible = {"bf16": 1.1, "fp32": 1.1}
    network = compiling(tmp_path, "fp32").network(small_source(impossible))
    assert str(network.placement) == "cpu, torch, fp32"
    assert "is not run in fp32: its answers would be 1.0000 like the exact ones" in caplog.text
    if has_bf16():
        network = compiling(tmp_path, "bf16").network(small_source({"bf16": 1.1}))
        assert str(network.placement) == "cpu, openvino, fp32"
        assert "is not run in bf16" in caplog.text


def test_what_was_compared_is_not_compared_again(tmp_path: Path) -> None:
    compiling(tmp_path).network(small_source())
    counted = []

    def compared(facts: object, exact: object, other: object) -> float:
        counted.append(1)
        return 1.0

    again = replace(small_source(), closeness=compared)
    compiling(tmp_path).network(again)
    assert not counted
    for path in (tmp_path / "1" / "checked").iterdir():
        path.unlink()
    compiling(tmp_path).network(again)
    assert len(counted) == 1


def test_any_open_clip_model_is_compiled(tiny: Path, tmp_path: Path) -> None:
    name = f"local-dir:{tiny}"
    crops = [photo.pixels for photo in drawn_photos(4)]
    exact = ClipEncoder.load(name, Runtime.choose("cpu"))
    for precision in ("fp32", "auto"):
        for _ in range(2):  # exported, and found again
            compiled = ClipEncoder.load(name, compiling(tmp_path, precision))
            assert compiled.placement.engine == "openvino"
            assert compiled.fingerprint == exact.fingerprint
            assert (compiled.dim, compiled.fill) == (exact.dim, exact.fill)
            cosines = (compiled.embed(crops) * exact.embed(crops)).sum(axis=1)
            assert cosines.min() >= BOUNDS["bf16"]
            texts = ["blue jeans", "a red dress", "brown " * 30]
            cosines = (compiled.embed_text(texts) * exact.embed_text(texts)).sum(axis=1)
            assert cosines.min() >= (BOUNDS["fp32"] if precision == "fp32" else BOUNDS["bf16"])
    assert compiled.embed([]).shape == (0, exact.dim)


def test_changed_weights_are_another_model(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    runtime = compiling(tmp_path)
    before = ClipEncoder.load(f"local-dir:{tiny}", runtime)
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in tiny.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    weights = load_file(changed / "open_clip_model.safetensors")
    weights["visual.proj"] = weights["visual.proj"].flip(1).contiguous()
    save_file(weights, changed / "open_clip_model.safetensors")
    after = ClipEncoder.load(f"local-dir:{changed}", runtime)
    assert after.fingerprint != before.fingerprint
    crops = [photo.pixels for photo in drawn_photos(2)]
    assert not np.allclose(before.embed(crops), after.embed(crops), atol=1e-3)


def test_int8_is_calibrated_on_the_catalogues_own_photos(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("nncf")
    settings = Settings(home=tmp_path, precision="int8", model_cache=tmp_path / "cache")
    name = f"local-dir:{tiny}"
    assert ClipEncoder.load(name, Runtime.of(settings)).placement.precision != "int8"
    assert f"at least {ENOUGH}, and {tmp_path} has 0" in caplog.text
    photos = drawn_photos(ENOUGH)
    for photo in photos:
        keep_thumbnail(tmp_path, photo)
    assert len(catalogue_pictures(tmp_path)) == ENOUGH
    encoder = ClipEncoder.load(name, Runtime.of(settings))
    assert encoder.placement.precision == "int8"
    exact = ClipEncoder.load(name, Runtime.choose("cpu"))
    crops = [photo.pixels for photo in photos[:4]]
    assert min_cosine(exact.embed(crops), encoder.embed(crops)) >= BOUNDS["int8"]


def test_int8_without_nncf_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ModelError, match=r"lapel\[int8\]"):
        calibration.quantise(tmp_path / XML, batch_of(2), tmp_path)


def test_settings_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, model_cache=None, device="cpu")
    assert settings.model_cache_folder == tmp_path / "cache"
    assert Runtime.of(settings).cache == ExportCache(tmp_path / "cache")
    assert Runtime.of(settings.model_copy(update={"runtime": "torch"})).cache is None
    assert Runtime.of(settings.model_copy(update={"threads": 3})).threads == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert usual_threads() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert usual_threads() >= 1
    for bad in ({"runtime": "onnx"}, {"precision": "fp8"}, {"threads": -1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Settings(**bad)
    with pytest.raises(SettingsError, match="LAPEL_DEVICE"):
        Runtime.choose("tpu")


def test_help_waits_for_no_model_library() -> None:
    done = run_python(
        "import sys\nfrom typer.testing import CliRunner\nfrom api.cli.main import app\n"
        "print(CliRunner().invoke(app, ['--help']).stdout)\n"
        "print('loaded', {'torch', 'faiss', 'open_clip', 'sqlalchemy', 'numpy', 'cv2'}"
        " & set(sys.modules))"
    )
    assert "Usage" in done.stdout
    assert "loaded set()" in done.stdout


def test_photos_are_described_without_torch(models: object, street_photo: Path) -> None:
    # `models` has exported the bundled ones before.
    done = run_python(
        "import os, sys, pathlib\n"
        "from indexer.models.loading import load_models\n"
        "from indexer.description.describe import Describer\n"
        "from indexer.images.photo import read_photo\nfrom indexer.settings import Settings\n"
        f"photo = read_photo(pathlib.Path({str(street_photo)!r}))\n"
        "print(len(Describer(load_models(Settings())).describe([photo])[0]) > 0)\n"
        "print('loaded', {'torch', 'open_clip', 'ultralytics', 'sklearn', 'scipy'}"
        " & set(sys.modules))"
    )
    assert done.stdout.splitlines() == ["True", "loaded set()"]


def run_python(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
