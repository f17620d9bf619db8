"""`lapel sync`: its plan, its limits, and going on after a kill, as processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from indexer.catalogue.catalogue import Catalogue
from indexer.settings import Settings
from tests.indexer.ingest.test_sync import ids_of
from tests.support.sample_shop import Shop, is_consistent


def lapel(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from api.cli.main import app; app()", *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip


def test_the_command_shows_a_plan_and_does_it(shop: Shop, home: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.tsv"
    lines = shop.feed.read_text("utf-8").splitlines()
    feed.write_text("\n".join([*lines[:-1], lines[-1].replace(" EUR", "1 EUR")]) + "\n", "utf-8")
    where = ("--home", str(home), "sync", str(feed), "--images", str(shop.folder))
    done = lapel(*where, "--mode", "mirror", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "changed           1  1 in words or numbers only" in done.stdout
    assert "loading models" not in done.stderr  # a plan needs none
    feed.write_text("\n".join(lines[:2]) + "\n", "utf-8")
    done = lapel(*where, "--mode", "mirror", "--json")
    assert (done.returncode, json.loads(done.stdout)["plan"]["unchanged"]) == (2, 1)
    assert "--max-removed 9" in done.stderr
    feed.write_text("\n".join(lines[:-1]) + "\n", "utf-8")
    done = lapel(*where, "--mode", "mirror", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    planned, did = map(json.loads, done.stdout.splitlines())
    assert (planned["plan"]["removed"], did["done"]["removed"]) == (1, 1)
    bad = lapel(*where, "--max-removed", "much")
    assert (bad.returncode, "give one like 20%" in bad.stderr) == (2, True)


DRIVER = """
import sys
from pathlib import Path
from tests.support.small_catalogue import *
from tests.indexer.ingest.test_sync import rows_of, synced
from tests.support.sample_shop import SHOP_ITEMS
def before(count):
    print(count, flush=True)
    if count >= int(sys.argv[2]):
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
tmp = Path(sys.argv[1])
catalogue = Catalogue.open(Settings(home=tmp / "home"), create=True)
Importer.items_a_batch = 4
describer = watched(1, before)
plan, done = synced(catalogue, tmp, rows_of(), "mirror", describer=describer)
print(plan.added, plan.unchanged, done.imported.embedded_photos, flush=True)
"""


def test_killed_it_goes_on_where_it_was(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "shop").symlink_to(drawn)

    def run(stop_after: int) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(tmp_path), str(stop_after)],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode, done.stdout.split("\n")

    code, _ = run(24)  # of the fourth batch: the first was written before its photos were begun
    assert code == -signal.SIGKILL
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"))
    before = len(ids_of(catalogue))
    assert 4 <= before < 21
    code, said = run(1_000)
    assert code == 0
    added, unchanged, described = map(int, said[-2].split())
    assert (added, unchanged) == (21 - before, before)
    assert described <= 40 - 2 * before + 1
    assert len(ids_of(catalogue)) == 21
    assert is_consistent(catalogue)
