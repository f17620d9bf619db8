"""Time each bundled model per picture in each precision, and measure how close the answers are.

    python -m benchmarks.speed.runtime [--models encoder detector ViT-B-32] [--runs 7] [--threads 1]

Two tables, JSON and a picture. Processor time, so that a busy machine disturbs it little: medians
of interleaved runs. torch is given one picture and a batch; OpenVINO runs one at a time whatever it
is given. int8 is calibrated on street photos and needs `lapel[int8]`. What the product would refuse
is timed too, and said.
"""

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed.peers.photos import WORK, calibrated_home, photo_folder, random_model
from benchmarks.speed.plots import draw_bars, saved_figure
from indexer.images.photo import read_photo
from indexer.inference.export_cache import ExportCache
from indexer.inference.int8_quantisation import MOST, catalogue_pictures
from indexer.inference.openvino_network import Network, Precision
from indexer.inference.runtime import ModelSource, Runtime
from indexer.models.detection.segmenter import Segmenter
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import BUNDLED
from search.evaluation.bootstrap import table

BATCH = 16  # pictures for torch at once
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")


@dataclass(frozen=True, slots=True, eq=False)
class Lenient(Runtime):
    """A runtime that refuses no conversion, and keeps what it made of what."""

    made: list[tuple[ModelSource, Network]] = field(default_factory=list)

    def network(self, source: ModelSource) -> Network:
        """Return the network however far its answers are from the exact ones."""
        lenient = replace(source, bounds=dict.fromkeys(source.bounds, -1.0))
        network = Runtime.network(self, lenient)
        self.made.append((source, network))
        return network


@dataclass(frozen=True, slots=True)
class Measured:
    """One model: milliseconds a picture by way, closeness by precision, and what bounds it."""

    name: str
    ms: Mapping[str, float]
    closeness: Mapping[str, float]
    bounds: Mapping[str, float]


def main() -> None:
    """Print the tables; write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.runtime", description=__doc__)
    names = ["encoder", "detector", "ViT-B-32"]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    found = [measure(name, options.runs, options.threads) for name in options.models]
    print(f"\n{times_table(found)}\n\n{closeness_table(found)}")
    said = vars(options) | {"measured": [asdict(each) for each in found]}
    (WORK / "runtime.json").write_text(json.dumps(said, indent=1), "utf-8")
    draw(found, WORK / "runtime.png")
    print(f"\nwritten: {WORK / 'runtime.json'}, {WORK / 'runtime.png'}")


def measure(name: str, runs: int, threads: int) -> Measured:
    """Load a model in each way, compare, and let them take turns."""
    photos = photo_folder(MOST)
    home = calibrated_home(photos)
    cache = ExportCache(WORK / "cache")
    source, exact = load_model(name, Lenient("cpu"))
    ways: dict[str, Network] = {"torch fp32": exact}
    for precision in PRECISIONS:
        pictures_of_home = partial(catalogue_pictures, home)
        _, network = load_model(name, Lenient("cpu", precision, cache, threads, pictures_of_home))
        if network.placement.precision == precision:  # bf16 is not on every CPU
            ways[f"OpenVINO {precision}"] = network
    pictures = [read_photo(path).pixels for path in sorted(photos.iterdir())[:BATCH]]
    batch = source.prepare(exact.facts, pictures)
    return Measured(
        name,
        _milliseconds(ways, batch, runs),
        _closeness(source, ways),
        {precision: source.bounds[precision] for precision in PRECISIONS},
    )


def load_model(name: str, runtime: Lenient) -> tuple[ModelSource, Network]:
    """Load a bundled model, or ViT-B-32, and return its image network with its source."""
    if name == "detector":
        Segmenter.load(BUNDLED["segmenter"].folder, runtime)
    else:
        folder = random_model() if name == "ViT-B-32" else BUNDLED["encoder"].folder
        ClipEncoder.load(f"local-dir:{folder}", runtime)
    return runtime.made[0]  # after an encoder's image tower may come its text tower


def _closeness(source: ModelSource, ways: Mapping[str, Network]) -> dict[str, float]:
    """Return how close each way is to torch, as the product compares them."""
    batch = source.prepare(ways["torch fp32"].facts, source.references())
    exact = ways["torch fp32"].run(batch)
    return {
        way.removeprefix("OpenVINO "): source.closeness(network.facts, exact, network.run(batch))
        for way, network in ways.items()
        if way.startswith("OpenVINO")
    }


def _milliseconds(ways: Mapping[str, Network], batch: Any, runs: int) -> dict[str, float]:
    """Return the median processor time a picture of each way."""
    tasks = {way: (network, batch[:1]) for way, network in ways.items()}
    tasks[f"torch fp32, {BATCH} at once"] = ways["torch fp32"], batch
    spent: dict[str, list[float]] = {way: [] for way in tasks}
    for i in range(runs + 1):
        for way, (network, some) in tasks.items():
            start = time.process_time()
            for _ in range(BATCH // len(some)):
                network.run(some)
            if i:  # the first warms up
                spent[way].append(1000 * (time.process_time() - start) / BATCH)
    return {way: statistics.median(each) for way, each in spent.items()}


def times_table(found: Sequence[Measured]) -> str:
    """Return milliseconds a picture, a row a model; the ratio first."""
    ways = list(dict.fromkeys(way for each in found for way in each.ms))
    rows = []
    for each in found:
        torch_ms = min(ms for way, ms in each.ms.items() if way.startswith("torch"))
        fastest = each.ms.get("OpenVINO bf16", each.ms["OpenVINO fp32"])
        cells = [f"{each.ms[way]:.1f}" if way in each.ms else "-" for way in ways]
        rows.append([each.name, f"{torch_ms / fastest:.1f}", *cells])
    heads = ["ms a picture, processor time", "torch's best / Lapel's default", *ways]
    return table(heads, rows)


def closeness_table(found: Sequence[Measured]) -> str:
    """Return how close each precision's answers are to the exact ones, and what becomes of it."""
    rows = []
    for each in found:
        cells = []
        for precision in PRECISIONS:
            value, bound = each.closeness.get(precision), each.bounds[precision]
            taken = "refused" if value is not None and value < bound else "taken"
            cells.append("-" if value is None else f"{value:.4f} of {bound:g}: {taken}")
        rows.append([each.name, *cells])
    return table(["lowest closeness, and its bound", *PRECISIONS], rows)


def draw(found: Sequence[Measured], path: Path) -> None:
    """Draw each model's milliseconds a picture as bars."""
    with saved_figure(path, 4.5 * len(found), 2.5, 1, len(found)) as grid:
        for axes, each in zip(grid[0], found, strict=True):
            draw_bars(axes, each.ms, 1)
            axes.set_title(each.name)
            axes.set_xlabel("ms a picture, processor time")


if __name__ == "__main__":
    main()
