"""Measure how many street photos a second ours and other encoders turn into vectors.

    python -m benchmarks.speed.encode [--photos 512] [--runs 5] [--threads 2] [--batch 32]
                                      [--peers clip-retrieval fashion-clip imgsearch]

A table, JSON and a picture. Timed from files to vectors on disk, models loaded before. All run
ViT-B-32 with random weights, the peers in their own environments by their own code
(clip-retrieval: its reader, mapper, writer and runner), in fp32, as they do on a CPU; imgsearch in
torch's bf16. One run of each after the other, again and again: medians.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.peers import process_timing
from benchmarks.speed.peers.environments import PeerUnavailable, Timed, peer_python
from benchmarks.speed.peers.photos import (
    WORK,
    calibrated_home,
    environment,
    photo_folder,
    random_model,
)
from benchmarks.speed.plots import draw_bars, saved_figure
from indexer.images.photo import read_photo
from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import BUNDLED
from indexer.settings import Settings
from indexer.system.batching import batches
from indexer.system.devices import usual_threads
from search.evaluation.bootstrap import table

# What is installed, and what is put over it.
PACKAGES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    # Its `clip-anytorch` imports pkg_resources.packaging, which setuptools dropped in version 70;
    # torch asks for a newer one, but runs with this.
    "clip-retrieval": (["clip-retrieval==2.45.0"], ["setuptools==69.5.1"]),
    # It passes `use_auth_token`, which transformers 5 refuses.
    "fashion-clip": (["fashion-clip==0.2.2", "transformers<5"], []),
    "imgsearch": (["imgsearch[all]==0.3.3"], []),
}
FEW = 8  # photos that a thread of ours takes at once: the last ones leave no core idle for long
AGAINST = "clip-retrieval"
OURS: Mapping[str, str] = {  # row -> precision; all but the last with the peers' model
    "Lapel, fp32": "fp32",
    "Lapel, as by default": "auto",
    "Lapel, int8": "int8",
    "Lapel, bundled encoder": "auto",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One way to encode the photos, and the seconds that each run of it took."""

    name: str
    ran_as: str
    seconds: Sequence[float]

    def rate(self, photos: int) -> float:
        """Return the median photos a second."""
        return photos / statistics.median(self.seconds)


def main() -> None:
    """Print the table; write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.encode", description=__doc__)
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=usual_threads())
    parser.add_argument("--batch", type=int, default=32, help="of the peers; ours runs one by one")
    parser.add_argument("--peers", nargs="*", choices=PACKAGES, default=list(PACKAGES))
    parser.add_argument("--ours", metavar="ROW", help=argparse.SUPPRESS)
    options = parser.parse_args()
    photos = photo_folder(options.photos)
    if options.ours:
        serve_ours(options.ours, photos)
        return
    rows = measure(options, photos)
    print(f"\n{report(rows, options.photos)}")
    said = vars(options) | {"rows": [asdict(row) for row in rows]}
    (WORK / "speed_encode.json").write_text(json.dumps(said, indent=1), "utf-8")
    draw({row.name: row.rate(options.photos) for row in rows}, WORK / "speed_encode.png")
    print(f"\nwritten: {WORK / 'speed_encode.json'}, {WORK / 'speed_encode.png'}")


def measure(options: argparse.Namespace, photos: Path) -> list[Row]:
    """Run each once to warm up, then take turns."""
    with ExitStack() as stack:
        running = dict(_start(options, photos))
        for each in running.values():
            stack.callback(each.close)
            each.ask()
        seconds: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(options.runs):
            for name, each in running.items():
                seconds[name].append(each.ask()["seconds"])
                print(f"{name}: {options.photos / seconds[name][-1]:.1f}", file=sys.stderr)
        return [Row(n, running[n].said["ran_as"], seconds[n]) for n in running]


def _start(options: argparse.Namespace, photos: Path) -> Iterator[tuple[str, Timed]]:
    """Start the peers that can be had here, then ours."""
    weights = random_model() / "open_clip_model.safetensors"
    home = calibrated_home(photos)
    for name in options.peers:
        out = WORK / name
        out.mkdir(parents=True, exist_ok=True)
        try:
            python = python_of(name)
            command = [str(python), "-P", process_timing.__file__, name, weights, photos, out]
            words = [*map(str, command), "--batch", str(options.batch)]
            yield name, Timed(words, environment(options.threads))
        except PeerUnavailable as error:
            print(f"left out: {error}", file=sys.stderr)
    for name, precision in OURS.items():
        settings = {"LAPEL_HOME": home, "LAPEL_PRECISION": precision, "LAPEL_DEVICE": "cpu",
                    "LAPEL_THREADS": options.threads}  # fmt: skip
        command = [sys.executable, "-m", "benchmarks.speed.encode"]
        words = [*command, "--photos", str(options.photos), "--ours", name]
        yield name, Timed(words, environment(options.threads, **settings))


def python_of(name: str) -> Path:
    """Return the Python of a peer's environment. Raises PeerUnavailable."""
    packages, last = PACKAGES[name]
    return peer_python(name, packages, last=last)


def serve_ours(row: str, photos: Path) -> None:
    """Encode the folder each time a line comes in."""
    folder = BUNDLED["encoder"].folder if row == "Lapel, bundled encoder" else random_model()
    settings = Settings()
    runtime = Runtime.of(settings, at_once=settings.threads)
    encoder = ClipEncoder.load(f"local-dir:{folder}", runtime)
    paths = sorted(photos.iterdir())
    out = WORK / f"{row}.npy"
    process_timing.serve(
        lambda: np.save(out, encode(encoder, paths, settings.threads).astype(np.float16)),
        {"ran_as": str(encoder.placement)},
    )


def encode(encoder: ClipEncoder, paths: Sequence[Path], at_once: int) -> NDArray[np.float32]:
    """Return the vectors (n, d) of photos; each of so many threads decodes and embeds its own."""

    def encode_some(some: Sequence[Path]) -> NDArray[np.float32]:
        return encoder.embed([read_photo(path).pixels for path in some])

    with ThreadPoolExecutor(at_once) as pool:
        return np.concatenate(list(pool.map(encode_some, batches(paths, FEW))))


def report(rows: Sequence[Row], photos: int) -> str:
    """Return a table, the ratio to clip-retrieval first; without it, to the slowest."""
    rates = {row.name: row.rate(photos) for row in rows}
    reference = rates.get(AGAINST, min(rates.values()))
    cells = [
        [row.name, f"{rates[row.name] / reference:.2f}", f"{rates[row.name]:.1f}",
         f"{photos / max(row.seconds):.1f}–{photos / min(row.seconds):.1f}", row.ran_as]
        for row in rows
    ]  # fmt: skip
    heads = [f"{photos} photos", f"times {AGAINST}", "photos a second", "range", "ran as"]
    return table(heads, cells)


def draw(rates: Mapping[str, float], path: Path) -> None:
    """Draw the rates as bars."""
    with saved_figure(path, 7, 0.8 + 0.4 * len(rates)) as grid:
        draw_bars(grid[0, 0], rates, 0)
        grid[0, 0].set_xlabel("photos a second")


if __name__ == "__main__":
    main()
