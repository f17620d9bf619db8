"""`lapel doctor`, `backup` and `restore` through the command line, as a shop's cron runs them."""

import json
import re
from pathlib import Path

from indexer.catalogue.catalogue import Catalogue
from indexer.maintenance.model_checks import examine_models
from indexer.settings import Settings
from tests.support.command_line import lapel_in
from tests.support.small_catalogue import ITEMS, fresh

CHECKS = {
    "disk", "schema", "lock", "database", "rows", "vectors", "pictures", "thumbnails"
}  # fmt: skip


def lapel(home: Path, *words: str) -> tuple[int, list[str], str]:
    done = lapel_in(home, *words)
    return done.exit_code, done.stdout.splitlines(), done.stderr


def test_a_sound_catalogue(small: Catalogue) -> None:
    code, lines, said = lapel(small.settings.home, "doctor", "--no-models", "--json")
    found = [json.loads(line) for line in lines]
    assert code == 0
    assert {each["check"] for each in found} == CHECKS
    assert {each["state"] for each in found} <= {"ok", "warning"}
    assert " ok" in said


def test_a_broken_one_is_told_and_mended(small: Catalogue) -> None:
    home = small.settings.home
    small.vector_file(small.row().uid).write_bytes(b"no index")
    code, lines, _ = lapel(home, "doctor", "--no-models")
    assert code == 1
    (line,) = [line for line in lines if line.startswith("wrong")]
    assert "no index" not in line
    assert "lapel doctor --repair" in line
    code, lines, said = lapel(home, "doctor", "--no-models", "--repair")
    assert code == 0
    assert [line.split()[1] for line in lines if line.startswith("mended")] == ["vectors"]
    assert "1 mended" in said
    assert lapel(home, "doctor", "--no-models")[0] == 0


def test_no_catalogue_and_an_empty_one(tmp_path: Path) -> None:
    code, lines, _ = lapel(tmp_path / "none", "doctor", "--no-models")
    assert code == 1
    assert "lapel index" in lines[-1]
    Catalogue.open(Settings(home=tmp_path / "new"), create=True)
    code, lines, _ = lapel(tmp_path / "new", "doctor", "--no-models", "--json")
    assert code == 0
    assert "nothing is indexed yet" in "".join(lines)


def test_the_models_and_where_they_run(home: Path) -> None:
    found = {each.check: each for each in examine_models(Settings(home=home, device="cpu"))}
    assert re.fullmatch(r"detector on cpu, .*; encoder on cpu, .*", found["device"].detail)
    assert found["fingerprint"].state == "ok"
    for name in ("Python 3", "SQLite 3", "torch 2", "lapel 0"):
        assert name in found["versions"].detail


def test_networks_that_run_elsewhere_than_in_torch_are_named(home: Path) -> None:
    settings = Settings(home=home, device="cpu", runtime="openvino")
    found = {each.check: each for each in examine_models(settings)}
    assert found["device"].detail.count("on cpu, openvino, ") == 2


def test_other_models_than_the_catalogues(small: Catalogue) -> None:
    found = {each.check: each for each in examine_models(small.settings)}
    assert found["fingerprint"].state == "wrong"
    assert "lapel reembed" in found["fingerprint"].todo
    missing = Settings(home=small.settings.home, detector="/nowhere")
    assert [each.state for each in examine_models(missing)] == ["ok", "wrong"]


def test_backup_and_restore(small: Catalogue, tmp_path: Path) -> None:
    home, archive = small.settings.home, str(tmp_path / "kept.tar")
    code, _, said = lapel(home, "backup", archive)
    assert (code, "lapel restore" in said) == (0, True)
    code, _, said = lapel(home, "backup", archive)
    assert (code, "--force" in said) == (2, True)
    assert lapel(home, "delete", ITEMS[0].item_id)[0] == 0
    code, _, said = lapel(home, "restore", archive)
    assert (code, "--force" in said) == (2, True)
    code, _, said = lapel(home, "restore", archive, "--force")
    assert (code, f"restored {len(ITEMS) + 1} items" in said) == (0, True)
    assert fresh(small).stats()["items"] == len(ITEMS) + 1
    code, _, said = lapel(home, "restore", str(tmp_path / "none.tar"))
    assert code == 2
