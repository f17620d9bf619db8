"""Time commands from the start of their process to its end.

    python -m benchmarks.speed.cold_start [--runs 7]

On the drawn sample shop, its models exported before. The commands take turns, and medians are
shown: of the clock, and of processor time, which other programs disturb less. `no bytecode` is with
PYTHONDONTWRITEBYTECODE=1 and no compiled modules, which each start then compiles anew; an
installation by pip has them. A table, JSON and a picture.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.speed.lapel_process import LAPEL, RUNS, machine, sample_home
from benchmarks.speed.plots import draw_bars, saved_figure
from indexer.inference.conversion_check import street_photo
from search.evaluation.bootstrap import table

TARGETS_S = {"--help": 0.4, "search PHOTO": 3.0, "search --text": 3.0}
TEXT = "blue jeans"


def main(words: Sequence[str] | None = None) -> None:
    """Measure; print a Markdown table, write JSON and a picture beside it."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.cold_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="of each, after one that warms up")
    parser.add_argument("--torch", action="store_true", help="also as it was before OpenVINO")
    parser.add_argument("--out", type=Path, default=RUNS)
    given = parser.parse_args(words)
    home = sample_home()
    ways = {"": _environment(given.out), "no bytecode": {"PYTHONDONTWRITEBYTECODE": "1"}}
    if given.torch:
        ways["torch"] = {**ways[""], "LAPEL_RUNTIME": "torch"}
    seconds = measure(home, ways, given.runs)
    print(report(seconds))
    given.out.mkdir(parents=True, exist_ok=True)
    facts = {"machine": machine(), "runs": given.runs, "seconds": _by_name(seconds)}
    (given.out / "cold_start.json").write_text(json.dumps(facts, indent=1), "utf-8")
    draw(seconds, given.out / "cold_start.png")
    print(f"\nwrote {given.out}/cold_start.json and .png")


def measure(
    home: Path, ways: Mapping[str, Mapping[str, str]], runs: int
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Return seconds by the clock and of processor time, by command and way."""
    commands = {
        "--help": ["--help"],
        "search PHOTO": ["--home", str(home), "search", str(street_photo()), "--json"],
        "search --text": ["--home", str(home), "search", "--text", TEXT, "--json"],
    }
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for i in range(runs + 1):
        for name, words in commands.items():
            for way, extra in ways.items():
                took = _run(words, extra)
                if i:  # the first compiles, exports, and reads files from the disk
                    found.setdefault((name, way), []).append(took)
    return found


def _run(words: Sequence[str], extra: Mapping[str, str]) -> tuple[float, float]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(  # noqa: S603 # our own command
        [*LAPEL, *words], env={**environment, **extra}, check=True, capture_output=True
    )
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(out: Path) -> dict[str, str]:
    """Return where compiled modules are kept: here, whether or not an installation has them."""
    return {"PYTHONPYCACHEPREFIX": str((out / "bytecode").absolute())}


def report(seconds: Mapping[tuple[str, str], Sequence[tuple[float, float]]]) -> str:
    """Return the medians as a Markdown table."""
    rows = [
        [
            f"lapel {name}",
            way or "-",
            *(f"{statistics.median(column):.2f}" for column in zip(*took, strict=True)),
            f"{min(clock for clock, _ in took):.2f}",
            f"{TARGETS_S[name]:g}",
        ]
        for (name, way), took in seconds.items()
    ]
    return table(["command", "", "s", "s of a processor", "fastest, s", "wanted, s"], rows)


def draw(seconds: Mapping[tuple[str, str], Sequence[tuple[float, float]]], path: Path) -> None:
    """Draw the medians as bars, with what is wanted."""
    names = {case: f"{case[0]}  {case[1]}".strip() for case in seconds}
    medians = {
        names[case]: statistics.median(clock for clock, _ in both) for case, both in seconds.items()
    }
    with saved_figure(path, 7, 0.4 * len(seconds) + 1.2) as grid:
        wanted = {names[case]: TARGETS_S[case[0]] for case in seconds}
        draw_bars(grid[0, 0], medians, 2, wanted)
        grid[0, 0].set_xlabel("s from the process's start to its end; red: wanted")


def _by_name(
    seconds: Mapping[tuple[str, str], Sequence[tuple[float, float]]],
) -> dict[str, list[tuple[float, float]]]:
    return {f"{name} {way}".strip(): list(took) for (name, way), took in seconds.items()}


if __name__ == "__main__":
    main()
