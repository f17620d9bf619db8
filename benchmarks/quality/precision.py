"""Measure how much quality the bundled models lose in less exact numbers.

    python -m benchmarks.quality.precision [--only luma kagl text] [--precisions fp32 bf16 int8]

Each precision runs `benchmarks.quality` in a process of its own. Its tables are kept under
`runs/precision/` by the weights, so that an interrupted run is continued. int8 needs
`lapel[int8]`; it is calibrated on reduced copies of Luma's main photos.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality import luma
from benchmarks.speed.peers.environments import RUNS
from benchmarks.speed.plots import saved_figure
from indexer.images.photo import read_photo
from indexer.inference.int8_quantisation import MOST
from indexer.models.loading import BUNDLED
from indexer.storage.thumbnails import keep_thumbnail
from search.evaluation.bootstrap import table
from training.data.luma import luma_photos

PRECISIONS = ("fp32", "bf16", "int8")
SECTIONS = ("luma", "kagl", "text")
ALLOWED = {"bf16": 0.5, "int8": 1.0}  # points: what each may lose of fp32
# A measure has its interval behind it; rows that were published elsewhere have none.
MEASURED = re.compile(r"(\d\.\d{3}) \(")
Measure = tuple[str, str, str]  # table, row, column


def main() -> None:
    """Print the losses of each precision against fp32; write them as JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality.precision", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    options = parser.parse_args()
    folder = RUNS / "precision" / _weights()
    home = folder / "home"
    keep_calibration(home)
    texts = {
        name: run_quality(name, options.only, folder, home)
        for name in dict.fromkeys(["fp32", *options.precisions])
    }
    found = {name: measures(text) for name, text in texts.items()}
    for name, text in texts.items():
        print(f"{name} ran as: {text.splitlines()[0]}")
    print(f"\n{summary(found)}\n\n{details(found)}")
    write_json(texts, found, folder / "precision.json")
    draw(found, folder / "precision.png")
    print(f"\nwritten: {folder / 'precision.json'}, {folder / 'precision.png'}")


def keep_calibration(home: Path) -> None:
    """Put thumbnails of Luma's main photos where a home that indexed them has its own."""
    paths = sorted(photo.path for photo in luma_photos() if photo.view == "main")
    for path in paths[:: max(1, len(paths) // MOST)][:MOST]:
        keep_thumbnail(home, read_photo(path))


def run_quality(precision: str, sections: Sequence[str], folder: Path, home: Path) -> str:
    """Return the quality tables of one precision, as kept from before or measured now.

    Raises CalledProcessError.
    """
    kept = folder / f"{precision}-{'-'.join(sections)}.md"
    if not kept.is_file():
        beside = kept.with_suffix(".part")
        command = [sys.executable, "-m", "benchmarks.quality", "--only", *sections]
        settings = {"LAPEL_HOME": str(home), "LAPEL_PRECISION": precision, "LAPEL_DEVICE": "cpu"}
        subprocess.run(  # noqa: S603
            [*command, "--out", str(beside)],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **settings},
            cwd=Path(__file__).parents[2],
        )
        beside.rename(kept)
    return kept.read_text("utf-8")


def measures(text: str) -> dict[Measure, float]:
    """Read each measure of Markdown tables with our own models: what has an interval behind it."""
    found: dict[Measure, float] = {}
    heads: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
        elif cells[0] != luma.WHOLE:  # the reference without our models is the same in each
            for head, cell in zip(heads[1:], cells[1:], strict=True):
                if match := MEASURED.match(cell):
                    found[heads[0], cells[0].strip("*"), head] = float(match[1])
    return found


def lost(exact: Mapping[Measure, float], other: Mapping[Measure, float]) -> dict[Measure, float]:
    """Return what each measure loses, in points of a hundred; negative where it gains."""
    return {key: round(100 * (value - other[key]), 1) for key, value in exact.items()}


def summary(found: Mapping[str, Mapping[Measure, float]]) -> str:
    """Return the mean and the largest loss, a row a table and precision."""
    exact, rows = found["fp32"], []
    for name in found:
        if name == "fp32":
            continue
        losses = lost(exact, found[name])
        for title in dict.fromkeys(key[0] for key in exact):
            here = {key: loss for key, loss in losses.items() if key[0] == title}
            worst = max(here, key=lambda key: here[key])
            mean = float(np.mean(list(here.values())))
            verdict = "yes" if mean <= ALLOWED[name] else "no"
            rows.append([name, title, str(len(here)), f"{mean:+.2f}", verdict,
                         f"{here[worst]:+.1f} ({worst[1]}, {worst[2]})"])  # fmt: skip
    heads = ["precision", "table", "measures", "points lost, mean", "within its bound", "most lost"]
    return table(heads, rows)


def details(found: Mapping[str, Mapping[Measure, float]]) -> str:
    """Return every measure in fp32 with what each other precision loses of it."""
    others = [name for name in found if name != "fp32"]
    losses = {name: lost(found["fp32"], found[name]) for name in others}
    rows = [
        [*key, f"{value:.3f}", *(f"{losses[name][key]:+.1f}" for name in others)]
        for key, value in found["fp32"].items()
    ]
    return table(["table", "row", "measure", "fp32", *(f"{n}: points lost" for n in others)], rows)


def write_json(
    texts: Mapping[str, str], found: Mapping[str, Mapping[Measure, float]], path: Path
) -> None:
    """Write how each precision really ran, and all measures."""
    said = {
        name: {
            "ran_as": texts[name].splitlines()[0],
            "measures": [
                dict(zip(("table", "row", "measure"), key, strict=True)) | {"value": value}
                for key, value in each.items()
            ],
        }
        for name, each in found.items()
    }
    path.write_text(json.dumps(said, indent=1), "utf-8")


def draw(found: Mapping[str, Mapping[Measure, float]], path: Path) -> None:
    """Draw each precision's losses, a point a measure, with the bound that holds for their mean."""
    others = [name for name in found if name != "fp32"]
    with saved_figure(path, 7, 1 + 1.2 * len(others)) as grid:
        axes = grid[0, 0]
        for y, name in enumerate(others):
            values = list(lost(found["fp32"], found[name]).values())
            spread = np.linspace(-0.2, 0.2, len(values))
            axes.plot(values, y + spread, "o", alpha=0.5, markersize=4)
            axes.plot([ALLOWED[name]] * 2, [y - 0.3, y + 0.3], "k--")
            axes.plot([np.mean(values)] * 2, [y - 0.3, y + 0.3], "k-")
        axes.set_yticks(range(len(others)), others)
        axes.set_xlabel("points lost against fp32 (a point a measure; line: mean; dashed: bound)")


def _weights() -> str:
    """Name the bundled weights, by the sums that lie beside them."""
    sums = [(model.folder / "SHA256SUMS").read_bytes() for _, model in sorted(BUNDLED.items())]
    return hashlib.sha256(b"".join(sums)).hexdigest()[:12]


if __name__ == "__main__":
    main()
