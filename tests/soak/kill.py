"""`make soak`: a hundred writes killed at random, and the command line too; the result into a page.

`python -m tests.soak.kill [--kills 100] [--cli-kills 10] [--report docs/explained/reliability.md]`
"""

import argparse
import json
import platform
import random
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.catalogue.catalogue import Catalogue
from indexer.sample import unpack_shop
from indexer.settings import Settings
from tests.soak.kill_runs import ROOT, Outcome, kill_at_random, stored
from tests.support.sample_shop import SHOP_ITEMS

CLI_ITEMS = 12  # described in seconds, after the models are loaded
BEGIN, END = "<!-- soak -->", "<!-- /soak -->"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--cli-kills", type=int, default=10)
    asked.add_argument("--seed", type=int, default=int(time.time()))
    asked.add_argument("--report", type=Path)
    options = asked.parse_args()
    start = time.monotonic()
    with TemporaryDirectory(prefix="lapel-soak-") as folder:
        shop, home = Path(folder) / "shop", Path(folder) / "home"
        unpack_shop(shop, SHOP_ITEMS)
        print(f"seed {options.seed}: {options.kills} kills", flush=True)
        outcome = kill_at_random(home, shop, options.kills, options.seed, say=_progress)
        print(f"{dict(outcome.killed)} killed; now the command line", flush=True)
        kept = kill_command_line(Path(folder), options.cli_kills, options.seed)
    said = report(outcome, options.cli_kills, kept, options.seed, time.monotonic() - start)
    print(said)
    if options.report:
        page = options.report.read_text("utf-8")
        block = f"{BEGIN}\n{said}\n{END}"
        page = re.sub(f"{BEGIN}.*{END}", lambda _: block, page, flags=re.DOTALL)
        options.report.write_text(page, "utf-8")


def _progress(outcome: Outcome) -> None:
    print(f"\r{outcome.killed.total()} killed", end="", file=sys.stderr, flush=True)


def kill_command_line(folder: Path, kills: int, seed: int) -> int:
    """Kill `lapel index` with the bundled models, then let it end; returns how many items it has.

    What was there after a kill must be there after the next; the doctor must find nothing wrong.
    """
    chance = random.Random(seed)
    shop, home = folder / "cli-shop", folder / "cli-home"
    feed = unpack_shop(shop, SHOP_ITEMS[:CLI_ITEMS])
    index = ["--home", str(home), "index", str(feed), "--images", str(shop)]
    took_s = _timed(["--home", str(folder / "timed"), *index[2:]])
    there: set[str] = set()
    for _ in range(kills):
        _killed(index, chance.uniform(0.2, 1) * took_s)  # before that, it only loads libraries
        there = _check_more(home, there)
        if there and chance.random() < 0.5:
            gone = chance.choice(sorted(there))
            _killed(["--home", str(home), "delete", gone], chance.uniform(0, 5))
            left = _check_more(home, there - {gone})
            there = left
    subprocess.run(_lapel(*index), check=True, stderr=subprocess.DEVNULL)
    assert len(_check_more(home, there)) == CLI_ITEMS
    return CLI_ITEMS


def _lapel(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from api.cli.main import app; app()", *arguments]


def _timed(arguments: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(_lapel(*arguments), check=True, stderr=subprocess.DEVNULL, cwd=ROOT)
    return time.monotonic() - start


def _killed(arguments: list[str], after_s: float) -> None:
    with subprocess.Popen(_lapel(*arguments), stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()


def _check_more(home: Path, before: set[str]) -> set[str]:
    """Ask `lapel doctor` itself; returns the items there are, among which are those of before."""
    if not (home / "lapel.sqlite").exists():
        assert not before
        return set()
    doctor = _lapel("--home", str(home), "doctor", "--no-models", "--json")
    done = subprocess.run(doctor, capture_output=True, text=True, check=False, cwd=ROOT)
    wrong = [each for each in map(json.loads, done.stdout.splitlines()) if each["state"] == "wrong"]
    if [each["check"] for each in wrong] == ["catalogue"] and not before:
        return set()  # killed before its tables were made
    assert done.returncode == 0, done.stdout + done.stderr
    now = set(stored(Catalogue.open(Settings(home=home))))
    assert before <= now, before - now
    return now


def report(outcome: Outcome, cli_kills: int, kept: int, seed: int, took_s: float) -> str:
    """Return the result as the page says it."""
    doing = {"index": "indexing", "delete": "deleting", "rebuild": "rebuilding"}
    kinds = ", ".join(f"{n} while {doing[kind]}" for kind, n in outcome.killed.most_common())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}, Python {platform.python_version()}, "
        f"{took_s / 60:.0f} minutes: {outcome.killed.total()} writes killed ("
        f"{kinds}), {outcome.ended.total()} more ended first; "
        f"{outcome.acknowledged} items acknowledged as stored or deleted, none lost, none came "
        f"back; after every kill the doctor found SQL and vectors equal. `lapel index` and `lapel "
        f"delete` themselves were killed {cli_kills} times on the way to {kept} items: all there."
    )


if __name__ == "__main__":
    main()
