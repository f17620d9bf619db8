"""Measure what making a folder of street photos searchable costs: seconds, memory, disk.

    python -m benchmarks.speed.index [--photos 512] [--runs 3] [--threads 2]
                                     [--only lapel clip-retrieval imgsearch]

A table, JSON and a picture. Whole commands from the start of the process, libraries and models
loaded: `lapel index`; `clip-retrieval inference` and `clip-retrieval index`; imgsearch's server and
client. Ours also without looking for garments (each photo is one), and so with the peers' ViT-B-32
too. Each is run once on a few photos before, so that models are exported and files are in memory;
then they take turns: medians. Memory is that of all processes together, what they share once.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.speed.encode import draw, python_of
from benchmarks.speed.peers import process_timing
from benchmarks.speed.peers.environments import PeerUnavailable, watch
from benchmarks.speed.peers.photos import WORK, environment, photo_folder, random_model
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.garments import Garments
from indexer.images.photo import Photo
from indexer.ingest.importer import Importer
from indexer.models.loading import load_models
from indexer.settings import Settings
from indexer.system.devices import usual_threads
from search.evaluation.bootstrap import table

FEW = 8  # photos of the run before
AGAINST = "clip-retrieval"
PEER_BATCH = 32  # clip-retrieval's own 256 is also what it warms up with, several times over
Ways = Mapping[str, Callable[[Path, Path], "Way"]]


@dataclass(frozen=True, slots=True)
class Way:
    """Commands that make a folder searchable, their environment, and the folder they fill."""

    commands: Sequence[Sequence[str]]
    env: Mapping[str, str]
    filled: Path


@dataclass(slots=True)
class Cost:
    """What each run of a way took."""

    seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    disk_bytes: int = 0


class WholePhotos:
    """A Detector that takes each photo for one garment, surely: what the peers do."""

    fingerprint = "whole-photos"
    confidence = 0.25

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        """Return one garment a photo, as large as it."""
        surely = np.ones(1, np.float32)
        return [replace(Garments.whole_photo(p.image_hw), confidence=surely) for p in photos]


def main() -> None:
    """Print the table; write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.index", description=__doc__)
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usual_threads())
    parser.add_argument("--only", nargs="+", default=["lapel", "clip-retrieval", "imgsearch"])
    parser.add_argument("--whole", type=Path, metavar="PHOTOS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.whole:
        index_whole(options.whole)
        return
    found = measure(options)
    print(f"\n{report(found, options.photos)}")
    said = vars(options) | {"ways": {name: asdict(cost) for name, cost in found.items()}}
    (WORK / "speed_index.json").write_text(json.dumps(said, indent=1, default=str), "utf-8")
    rates = {n: options.photos / statistics.median(c.seconds) for n, c in found.items()}
    draw(rates, WORK / "speed_index.png")
    print(f"\nwritten: {WORK / 'speed_index.json'}, {WORK / 'speed_index.png'}")


def measure(options: argparse.Namespace) -> dict[str, Cost]:
    """Run each once on a few photos, then take turns; who cannot run here is left out."""
    few, photos = photo_folder(FEW), photo_folder(options.photos)
    costs: dict[str, Cost] = {}
    ways = {
        n: way
        for n, way in _ways(options.threads).items()
        if n.lower().startswith(tuple(options.only))
    }
    for name, way in ways.items():
        try:
            run(way(few, WORK / "indexed" / name))
        except PeerUnavailable as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            costs[name] = Cost()
    for _ in range(options.runs):
        for name, cost in costs.items():
            one = run(ways[name](photos, WORK / "indexed" / name))
            cost.seconds += one.seconds
            cost.peak_bytes += one.peak_bytes
            cost.disk_bytes = one.disk_bytes
            print(f"{name}: {one.seconds[0]:.1f} s", file=sys.stderr, flush=True)
    return costs


def run(way: Way) -> Cost:
    """Fill the folder anew. Raises PeerUnavailable when a command fails."""
    shutil.rmtree(way.filled, ignore_errors=True)
    way.filled.mkdir(parents=True)
    done = [watch(command, way.env) for command in way.commands]
    disk = sum(path.stat().st_size for path in way.filled.rglob("*") if path.is_file())
    return Cost([sum(d.seconds for d in done)], [max(d.peak_bytes for d in done)], disk)


def _ways(threads: int) -> Ways:
    """Return how each way indexes a folder of photos into another folder."""
    lapel = [sys.executable, "-c", "from api.cli.main import app; app()", "index"]
    whole = [sys.executable, "-m", "benchmarks.speed.index", "--whole"]
    return {
        "Lapel": partial(_lapel, lapel, threads),
        "Lapel, no detection": partial(_lapel, whole, threads),
        "Lapel, no detection, ViT-B-32": partial(
            _lapel, whole, threads, LAPEL_ENCODER=f"local-dir:{random_model()}"
        ),
        "clip-retrieval": partial(_clip_retrieval, threads),
        "imgsearch": partial(_imgsearch, threads),
    }


def _lapel(
    command: Sequence[str], threads: int, photos: Path, home: Path, **settings: object
) -> Way:
    kept = {"LAPEL_MODEL_CACHE": WORK / "cache", "LAPEL_DEVICE": "cpu", "LAPEL_THREADS": threads}
    env = environment(threads, LAPEL_HOME=home, **kept, **settings)
    return Way([[*command, str(photos)]], env, home)


def _clip_retrieval(threads: int, photos: Path, filled: Path) -> Way:
    command = [str(python_of("clip-retrieval")), "-m", "clip_retrieval.cli"]
    inference = [
        *("inference", f"--input_dataset={photos}", f"--output_folder={filled}"),
        f"--clip_model=open_clip:ViT-B-32/{random_model() / 'open_clip_model.safetensors'}",
        *("--enable_text=False", f"--batch_size={PEER_BATCH}"),
    ]
    index = ["index", f"--embeddings_folder={filled}", f"--index_folder={filled / 'index'}"]
    return Way([[*command, *inference], [*command, *index]], environment(threads), filled)


def _imgsearch(threads: int, photos: Path, filled: Path) -> Way:
    script = [str(python_of("imgsearch")), "-P", process_timing.__file__, "imgsearch", "-"]
    weights = filled.with_name("imgsearch-model")
    command = [*script, str(photos), str(weights), "--index"]
    return Way([command], environment(threads, HOME=filled), filled)


def index_whole(photos: Path) -> None:
    """Index a folder as `lapel index` does, but each photo as one garment."""
    settings = Settings()
    models = replace(load_models(settings), detector=WholePhotos())
    catalogue = Catalogue.open(settings, create=True)
    done = Importer(catalogue, Describer(models), photos, say=print).run(read_feed(photos))
    if done.errors:
        raise SystemExit(f"{done.errors} photos could not be indexed: see above")


def report(found: Mapping[str, Cost], photos: int) -> str:
    """Return a table, the ratio to clip-retrieval first."""
    seconds = {name: statistics.median(cost.seconds) for name, cost in found.items()}
    reference = seconds.get(AGAINST, max(seconds.values()))
    rows = [
        [name, f"{reference / seconds[name]:.2f}", f"{seconds[name]:.1f}",
         f"{photos / seconds[name]:.1f}", f"{statistics.median(cost.peak_bytes) / 1e6:.0f}",
         f"{cost.disk_bytes / photos / 1e3:.1f}"]
        for name, cost in found.items()
    ]  # fmt: skip
    heads = [f"{photos} photos", f"times {AGAINST}", "seconds", "photos a second",
             "peak MB", "kB of disk a photo"]  # fmt: skip
    return table(heads, rows)


if __name__ == "__main__":
    main()
