"""Models listed, checked and handed on; nothing here needs a network."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import open_clip
import pytest

from indexer.errors import ModelError
from indexer.models.download import pull
from indexer.models.registry import BUNDLED, KNOWN, bundled_models, encoder_source
from indexer.settings import WEIGHTS, Settings
from indexer.system.checksums import check_sums, write_sums
from tests.support.command_line import lapel_in
from tests.support.tiny_open_clip import fingerprint, rows
from training import manifest


def test_the_list_has_what_is_shipped_and_what_can_be_pulled(settings: Settings) -> None:
    listed = rows(lapel_in(settings.home, "models", "list", "--json"))
    for model in bundled_models():
        row = listed[model.name]
        assert (row["origin"], row["in_use"]) == ("bundled", True)
        assert row["licence"]
        assert row["source"]
        assert set(row["sha256"]) >= {p.name for p in model.folder.glob("*.safetensors")}
    assert listed["lapel-encoder"]["dim"] > 0
    assert listed["lapel-segmenter"]["licence"] == "AGPL-3.0"
    marqo = listed["hf-hub:Marqo/marqo-fashionSigLIP"]
    assert (marqo["dim"], marqo["licence"], marqo["origin"]) == (768, "Apache-2.0", "remote")
    assert not marqo["in_use"]
    table = lapel_in(settings.home, "models", "list")
    assert table.exit_code == 0
    assert "hf-hub:Marqo/marqo-fashionSigLIP" in table.stdout


def test_known_dimensions_are_open_clips_own(settings: Settings) -> None:
    for name, row in rows(lapel_in(settings.home, "models", "list", "--json")).items():
        architecture, _, tag = name.partition("/")
        if row["origin"] == "remote" and open_clip.is_pretrained_cfg(architecture, tag):
            assert open_clip.get_model_config(architecture)["embed_dim"] == row["dim"]


def test_the_list_says_what_the_settings_use(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPEL_ENCODER", f"local-dir:{tiny}")
    listed = rows(lapel_in(settings.home, "models", "list", "--json"))
    assert (listed["tiny"]["in_use"], listed["tiny"]["origin"]) == (True, "set")
    assert (listed["tiny"]["dim"], listed["tiny"]["licence"]) == (16, "unknown")
    assert not listed["lapel-encoder"]["in_use"]
    assert not listed["lapel-attributes"]["in_use"]  # made for the bundled encoder
    monkeypatch.setenv("LAPEL_ENCODER", "hf-hub:Marqo/marqo-fashionCLIP")
    listed = rows(lapel_in(settings.home, "models", "list", "--json"))
    assert listed["hf-hub:Marqo/marqo-fashionCLIP"]["in_use"]
    monkeypatch.setenv("LAPEL_ENCODER", "hf-hub:somebody/else")
    listed = rows(lapel_in(settings.home, "models", "list", "--json"))
    assert (listed["hf-hub:somebody/else"]["in_use"], len(listed)) == (
        True,
        1 + len(BUNDLED) + len(KNOWN),
    )


def test_licences_are_said_plainly(settings: Settings) -> None:
    said = lapel_in(settings.home, "models", "licences")
    assert said.exit_code == 0
    assert "lapel-segmenter (segmenter): AGPL-3.0" in said.stdout
    assert "Lapel itself is AGPL-3.0-or-later" in said.stdout
    listed = rows(lapel_in(settings.home, "models", "licences", "--json"))
    assert listed["lapel-encoder"]["licence"] == "Apache-2.0"


def test_the_bundled_weights_are_those_listed(settings: Settings) -> None:
    """Fails after a training: run `python -m training.manifest`."""
    assert {m.folder.name for m in bundled_models()} == {
        p.name for p in WEIGHTS.iterdir() if p.is_dir()
    }
    result = lapel_in(settings.home, "models", "verify")
    assert result.exit_code == 0, result.stderr
    assert "lapel-encoder: as it was" in result.stdout


def test_what_differs_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.json", "b.json", "sub/c.json", "CARD.md"):
        (folder / name).write_text(name, "utf-8")
    with pytest.raises(ModelError, match="SHA256SUMS"):
        check_sums(folder)
    write_sums(folder)
    assert check_sums(folder) == []
    (folder / "CARD.md").write_text("a better page", "utf-8")
    assert check_sums(folder) == []
    (folder / "a.json").unlink()
    (folder / "sub" / "c.json").write_text("changed", "utf-8")
    (folder / "new.json").write_text("new", "utf-8")
    missing, new, changed = check_sums(folder)
    assert missing == "a.json is missing"
    assert new.startswith("new.json is not listed")
    assert changed.startswith("sub/c.json differs")
    if shutil.which("sha256sum"):
        checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True)
        assert checked.returncode == 1
        assert b"b.json: OK" in checked.stdout


def test_the_manifest_refuses_what_no_one_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "surprise").mkdir()
    monkeypatch.setattr("training.manifest.WEIGHTS", tmp_path)
    with pytest.raises(SystemExit, match="surprise"):
        manifest.main()


def test_an_exported_folder_is_whole_and_checked(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    pull(f"local-dir:{tiny}", settings)
    out = tmp_path / "out" / "bundle"
    wanted = ("lapel-segmenter", "lapel-attributes", "tiny")
    result = lapel_in(settings.home, "models", "export", *wanted, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert [p.name for p in out.parent.iterdir()] == ["bundle"]
    readme = (out / "README.md").read_text("utf-8")
    assert readme.count("\n") == 2
    assert "LAPEL_ENCODER=local-dir:$PWD/tiny" in readme
    assert "LAPEL_DETECTOR=$PWD/lapel-segmenter " in readme
    assert "AGPL-3.0" in (out / "LICENCES.md").read_text("utf-8")
    assert "GNU AFFERO" in (out / "AGPL-3.0.txt").read_text("utf-8")
    assert lapel_in(settings.home, "models", "verify", out).exit_code == 0
    refused = lapel_in(settings.home, "models", "export", "tiny", "--out", out)
    assert (refused.exit_code, "there already" in refused.stderr) == (2, True)
    (out / "tiny" / "open_clip_config.json").write_text("{}", "utf-8")
    (out / "lapel-attributes" / "heads.json").unlink()
    result = lapel_in(settings.home, "models", "verify", out)
    assert result.exit_code == 1
    assert "tiny/open_clip_config.json differs" in result.stderr
    assert "lapel-attributes/heads.json is missing" in result.stderr


def test_an_exported_tar_serves_another_home(settings: Settings, hub: Path, tmp_path: Path) -> None:
    pulled = pull("hf-hub:owner/tiny", settings)
    first, second = tmp_path / "a" / "models.tar", tmp_path / "b" / "models.tar"
    for out in (first, second):
        assert lapel_in(settings.home, "models", "export", pulled.name, "--out", out).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert lapel_in(settings.home, "models", "verify", first).exit_code == 0
    cut = tmp_path / "cut.tar"
    cut.write_bytes(first.read_bytes()[:100_000])
    assert lapel_in(settings.home, "models", "verify", cut).exit_code == 2
    with tarfile.open(first) as tar:
        tar.extractall(tmp_path / "there", filter="data")
    other = Settings(home=tmp_path / "other", encoder="hf-hub:owner/tiny")
    brought = pull(f"local-dir:{tmp_path / 'there' / 'models' / 'owner--tiny'}", other)
    assert (brought.name, brought.licence) == ("hf-hub:owner/tiny", "cc-by-4.0")
    assert fingerprint(brought.folder) == fingerprint(pulled.folder)
    assert encoder_source(other) == f"local-dir:{brought.folder}"


def test_export_takes_what_is_in_use(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle"
    assert lapel_in(settings.home, "models", "export", "--out", out).exit_code == 0
    assert {p.name for p in out.iterdir() if p.is_dir()} == {m.name for m in bundled_models()}
    assert fingerprint(out / "lapel-encoder") == fingerprint(BUNDLED["encoder"].folder)
    unknown = lapel_in(settings.home, "models", "export", "nonsense", "--out", tmp_path / "b")
    assert (unknown.exit_code, "lapel-encoder" in unknown.stderr) == (2, True)
    monkeypatch.setenv("LAPEL_ENCODER", "hf-hub:Marqo/marqo-fashionCLIP")
    remote = lapel_in(settings.home, "models", "export", "--out", tmp_path / "b")
    assert remote.exit_code == 2
    assert "lapel models pull hf-hub:Marqo/marqo-fashionCLIP" in remote.stderr
    assert not (tmp_path / "b").exists()


def test_the_list_loads_no_model_library() -> None:
    heavy = "{'torch', 'ultralytics', 'open_clip', 'faiss', 'sklearn', 'huggingface_hub'}"
    code = (
        "import sys; from typer.testing import CliRunner; from api.cli.main import app\n"
        "for words in (['list'], ['list', '--json'], ['licences']):\n"
        "    assert CliRunner().invoke(app, ['models', *words]).exit_code == 0\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "LAPEL_HOME": "/nonexistent"},
    )
    assert done.stdout.strip() == "[]", done.stderr
