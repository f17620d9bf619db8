"""The bundled models and ViT-B-32 on a GPU; pictures a second as torch usually runs them and ours.

    python -m benchmarks.speed.on_gpu [--device cuda] [--runs 7] [--batches 1 16 64]

`torch fp32` is the plain module in its own order of memory, as clip-retrieval and fashion-clip run
it; the others are what `LAPEL_PRECISION` gives. Copying to the GPU and back is counted, decoding is
not. Medians of interleaved runs, and how close the answers are to those of a CPU in fp32.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.peers.photos import WORK
from benchmarks.speed.runtime import Lenient, load_model
from indexer.inference.conversion_check import reference_images
from indexer.inference.openvino_network import Answers
from indexer.inference.runtime import ModelSource
from search.evaluation.bootstrap import table

MODELS = ("encoder", "detector", "ViT-B-32")
ENOUGH_S = 0.2  # of a run of one way: a single batch takes a millisecond
Run = Callable[[NDArray[Any]], object]


def main() -> None:
    """Print the table; write JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.on_gpu", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--batches", type=int, nargs="+", default=(1, 16, 64))
    given = parser.parse_args()
    rows = [
        row for name in MODELS for row in measure(name, given.device, given.batches, given.runs)
    ]
    heads = ["network", "pictures at once", "Lapel / torch fp32", "torch fp32, a second",
             "Lapel fp32", "Lapel, by default", "ran as", "lowest closeness"]  # fmt: skip
    print(table(heads, rows))
    WORK.mkdir(parents=True, exist_ok=True)
    said = [dict(zip(heads, row, strict=True)) for row in rows]
    (WORK / "on_gpu.json").write_text(json.dumps(said, indent=1), "utf-8")


def measure(name: str, device: str, batches: Sequence[int], runs: int) -> list[list[str]]:
    """Return a row for each number of pictures at once."""
    source, on_cpu = load_model(name, Lenient("cpu"))
    probes = source.prepare(on_cpu.facts, list(reference_images()))
    right = on_cpu.run(probes)
    _, default = load_model(name, Lenient(device, "auto"))
    _, exact = load_model(name, Lenient(device, "fp32"))
    closeness = source.closeness(on_cpu.facts, right, default.run(probes))
    plain = _plain(source, device)  # from here on `on_cpu` is no more there
    rows = []
    for count in batches:
        batch = probes[np.resize(np.arange(len(probes)), count)]
        ways: Mapping[str, Run] = {"torch": plain, "fp32": exact.run, "default": default.run}
        rates = _rates(ways, batch, runs)
        ratio = rates["default"] / rates["torch"]
        rows.append([name, str(count), f"{ratio:.2f}", *(f"{rate:.0f}" for rate in rates.values()),
                     str(default.placement), f"{closeness:.4f}"])  # fmt: skip
    return rows


def _plain(source: ModelSource, device: str) -> Run:
    import torch

    module = source.load().module.eval().to(device)

    def run(batch: NDArray[Any]) -> Answers:
        with torch.inference_mode():
            answers = module(torch.from_numpy(batch).to(device))
        several = (answers,) if isinstance(answers, torch.Tensor) else answers
        return tuple(answer.cpu().numpy() for answer in several)

    return run


def _rates(ways: Mapping[str, Run], batch: NDArray[Any], runs: int) -> dict[str, float]:
    """Return pictures a second of each way: medians of runs in turn."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for i in range(runs + 1):
        for way, run in ways.items():
            start, count = time.perf_counter(), 0
            while (took := time.perf_counter() - start) < ENOUGH_S or not count:
                run(batch)
                count += len(batch)
            if i:  # the first warms up
                found[way].append(count / took)
    return {way: statistics.median(each) for way, each in found.items()}


if __name__ == "__main__":
    main()
