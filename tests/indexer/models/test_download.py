"""Models brought in, from folders, stores and servers; nothing here needs a network."""

import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from huggingface_hub import constants
from ultralytics import YOLO

from indexer.errors import ModelError
from indexer.inference.runtime import Runtime
from indexer.models.download import pull
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import load_models
from indexer.models.registry import encoder_source, find_model, models_folder
from indexer.settings import Settings
from tests.support.command_line import lapel_in
from tests.support.tiny_open_clip import PREPROCESS, TINY, fingerprint, rows


def left_in(settings: Settings) -> list[str]:
    """What is in the models' folder, but for the lock."""
    folder = models_folder(settings)
    return sorted(p.name for p in folder.iterdir() if p.name != ".lock") if folder.exists() else []


def test_a_pulled_folder_is_the_same_model(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = lapel_in(settings.home, "models", "pull", f"local-dir:{tiny}")
    assert result.exit_code == 0, result.stderr
    folder = models_folder(settings) / "tiny"
    assert result.stdout == f"export LAPEL_ENCODER=local-dir:{folder}\nlapel reembed\n"
    assert fingerprint(folder) == fingerprint(tiny)
    assert left_in(settings) == ["tiny"]
    row = rows(lapel_in(settings.home, "models", "list", "--json"))["tiny"]
    assert (row["origin"], row["in_use"], row["dim"]) == ("pulled", False, 16)
    assert "open_clip_model.safetensors" in row["sha256"]
    monkeypatch.setenv("LAPEL_ENCODER", "tiny")  # its name will do
    assert rows(lapel_in(settings.home, "models", "list", "--json"))["tiny"]["in_use"]
    assert load_models(Settings(home=settings.home)).encoder.dim == 16
    again = lapel_in(settings.home, "models", "pull", f"local-dir:{tiny}")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    other = lapel_in(settings.home, "models", "pull", f"local-dir:{tiny}", "--as", "b")
    assert other.exit_code == 0
    assert find_model("b", settings).dim == 16


def test_a_pickle_is_stored_as_safetensors(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(tiny, tmp_path / "old"))
    (old / "open_clip_model.safetensors").unlink()
    torch.manual_seed(1)
    torch.save(open_clip.CLIP(**TINY).state_dict(), old / "open_clip_pytorch_model.bin")
    pulled = pull(f"local-dir:{old}", settings)
    assert not list(pulled.folder.glob("*.bin"))
    assert fingerprint(pulled.folder) == fingerprint(old) == fingerprint(tiny)


def test_what_cannot_be_loaded_leaves_nothing(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    weights = (broken / "open_clip_model.safetensors").read_bytes()
    (broken / "open_clip_model.safetensors").write_bytes(weights[: len(weights) // 2])
    (tmp_path / "empty").mkdir()
    for name, said in (
        (f"local-dir:{broken}", "cannot be loaded"),
        (f"local-dir:{tmp_path / 'empty'}", "no model was found"),
        (f"local-dir:{tmp_path / 'none'}", "no folder"),
        ("nonsense", "expected MODEL/PRETRAINED"),
        ("ViT-B-32/nonsense", "knows no weights"),
        ("nonsense/openai", "knows no 'nonsense'"),
        ("yolo11n.pt", "no segmentation file"),
        ("local-dir:..", "cannot name a folder"),
    ):
        with pytest.raises(ModelError, match=said):
            pull(name, settings)
        assert left_in(settings) == [], name


def test_an_interrupted_pull_leaves_nothing(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("indexer.models.download._check_loads", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pull(f"local-dir:{tiny}", settings)
    assert left_in(settings) == []
    killed = models_folder(settings) / ".part-killed"
    killed.mkdir()
    (killed / "lapel.json").write_text("{", "utf-8")
    assert "killed" not in lapel_in(settings.home, "models", "list", "--json").stdout
    monkeypatch.undo()
    pull(f"local-dir:{tiny}", settings)
    assert left_in(settings) == ["tiny"]


def test_an_open_clip_name(
    settings: Settings, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from open_clip import factory, pretrained

    listed = {"file": str(tiny / "open_clip_model.safetensors"), **PREPROCESS}
    monkeypatch.setitem(factory._MODEL_CONFIGS, "Tiny-16", TINY)
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny-16", {"own": listed})
    pulled = pull("Tiny-16/own", settings)
    assert (pulled.folder.name, pulled.dim) == ("Tiny-16--own", 16)
    there = ClipEncoder.load("Tiny-16/own", Runtime.choose("cpu"))
    assert fingerprint(pulled.folder) == there.fingerprint
    monkeypatch.delitem(factory._MODEL_CONFIGS, "Tiny-16")
    again = Settings(home=settings.home, encoder="Tiny-16/own")  # from the home, by its name
    assert encoder_source(again) == f"local-dir:{pulled.folder}"


def test_a_model_of_the_hub(settings: Settings, hub: Path, tiny: Path) -> None:
    pulled = pull("hf-hub:owner/tiny", settings)
    assert (pulled.name, pulled.folder.name) == ("hf-hub:owner/tiny", "owner--tiny")
    assert (pulled.licence, pulled.source) == ("cc-by-4.0", "https://huggingface.co/owner/tiny")
    assert fingerprint(pulled.folder) == fingerprint(tiny)


def test_no_network_is_said_at_once(
    settings: Settings, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = lapel_in(settings.home, "models", "pull", "hf-hub:Marqo/marqo-fashionCLIP")
    assert said.exit_code == 2
    assert "HF_HUB_OFFLINE is set" in said.stderr
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")  # no one answers there
    said = lapel_in(settings.home, "models", "pull", "hf-hub:Marqo/marqo-fashionCLIP")
    assert said.exit_code == 2
    assert "there is no network" in said.stderr
    assert "lapel models export" in said.stderr
    assert pull("hf-hub:owner/tiny", settings).dim == 16  # of what it brought before
    assert not constants.HF_HUB_OFFLINE
    with pytest.raises(ModelError, match="cannot be brought"):
        pull("ViT-B-32/laion2b_s34b_b79k", settings)
    assert left_in(settings) == ["owner--tiny"]


def test_a_tokenizer_of_its_own_needs_its_package(
    settings: Settings, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((hub / "open_clip_config.json").read_text("utf-8"))
    config["model_cfg"]["text_cfg"] = TINY["text_cfg"] | {"hf_tokenizer_name": "owner/tiny"}
    (hub / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    monkeypatch.setattr("indexer.models.download.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install transformers"):
        pull("hf-hub:owner/tiny", settings)


class Files(SimpleHTTPRequestHandler):
    """Serves a folder; of a file named `cut...` it sends half of what it promises."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass

    def copyfile(self, source: Any, outputfile: Any) -> None:
        whole = source.read()
        outputfile.write(whole[: len(whole) // 2] if "/cut" in self.path else whole)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a real server publishes where ultralytics' files are looked for."""
    folder = tmp_path / "published"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("indexer.models.download.SEGMENTERS_URL", url)
    monkeypatch.delenv("YOLO_OFFLINE")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_segmentation_file(settings: Settings, published: Path, tmp_path: Path) -> None:
    YOLO("yolov8n-seg.yaml", verbose=False).save(published / "yolov8n-seg.pt")
    shutil.copy(published / "yolov8n-seg.pt", published / "cut-seg.pt")
    pulled = pull("yolov8n-seg.pt", settings)
    assert (pulled.kind, pulled.licence, pulled.dim) == ("segmenter", "AGPL-3.0", None)
    listed = rows(lapel_in(settings.home, "models", "list", "--json"))
    assert listed["yolov8n-seg.pt"]["sha256"]
    with pytest.raises(ModelError, match=r"yolov9z-seg\.pt.*404"):
        pull("yolov9z-seg.pt", settings)
    assert left_in(settings) == ["yolov8n-seg"]
    local = pull(f"local-dir:{published / 'yolov8n-seg.pt'}", settings, "mine")
    assert (local.name, local.kind, local.licence) == ("mine", "segmenter", "unknown")
    out = tmp_path / "bundle"
    assert lapel_in(settings.home, "models", "export", "mine", "--out", out).exit_code == 0
    assert "LAPEL_DETECTOR=$PWD/mine/yolov8n-seg.pt" in (out / "README.md").read_text("utf-8")


def test_a_download_that_breaks_off_leaves_nothing(settings: Settings, published: Path) -> None:
    (published / "cut-seg.pt").write_bytes(bytes(100_000))
    with pytest.raises(ModelError, match="broke off at 50000 of 100000 bytes"):
        pull("cut-seg.pt", settings)
    assert left_in(settings) == []


def test_offline_segmentation_files_are_not_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    with pytest.raises(ModelError, match="YOLO_OFFLINE is set"):
        pull("yolo11n-seg.pt", settings)
    monkeypatch.delenv("YOLO_OFFLINE")
    monkeypatch.setattr("indexer.models.download.SEGMENTERS_URL", "http://127.0.0.1:1")
    with pytest.raises(ModelError, match="there is no network"):
        pull("yolo11n-seg.pt", settings)
