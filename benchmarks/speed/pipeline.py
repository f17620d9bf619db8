"""Measure how many photos a second an import describes, beside the models' stages alone.

    python -m benchmarks.speed.pipeline [--items 280] [--runs 3] [--workers 2] [--folder PHOTOS]

A table, JSON and a picture. The photos are those of the drawn sample shop, two an item, or those of
a folder. They take turns, medians: an import into a new catalogue, by so many workers and by one,
for whom each answer of a model takes all cores; and the detector and the encoder alone, asked by
so many threads, on what the import gives them. On a CPU the models share the cores, so that the
slowest stage's rate is out of reach however well stages overlap; their rate in turn is not. Below,
the last import's profile.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from api.console.terminal import OF_MODELS, profile_lines
from benchmarks.speed.encode import draw
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.description.garment_choice import choose_garments
from indexer.feeds import read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.images.photo import Photo, read_photo
from indexer.ingest.importer import Importer
from indexer.models.encoder import cut_out
from indexer.models.loading import Models, load_models
from indexer.settings import Settings
from indexer.system.batching import batches
from indexer.system.devices import usual_threads
from search.evaluation.bootstrap import table
from training.sample_shop import sample_items, write_shop

WORK = Path("runs") / "pipeline"
KEPT = 64  # photos that the models alone are asked about, over and over: decoded, they fill memory
PORTION = 4  # of them for a thread at a time
Rates = dict[str, list[float]]
T = TypeVar("T")


def main() -> None:
    """Print the table and the profile; write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed.pipeline", description=__doc__)
    parser.add_argument("--items", type=int, default=280)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=usual_threads())
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    records, folder = _records(given.items, given.folder)
    rates, profile = measure(records, folder, given.workers, given.runs)
    found = {name: statistics.median(each) for name, each in rates.items()}
    print(f"{report(found, given.workers)}\n\n" + "\n".join(profile))
    said = {"workers": given.workers, "items": len(records), "rates": rates, "profile": profile}
    (WORK / "pipeline.json").write_text(json.dumps(said, indent=1), "utf-8")
    draw(found, WORK / "pipeline.png")
    print(f"\nwritten: {WORK / 'pipeline.json'}, {WORK / 'pipeline.png'}")


def measure(
    records: Sequence[ItemRecord], folder: Path, workers: int, runs: int
) -> tuple[Rates, list[str]]:
    """Return photos a second of each way, by run, and the profile of the last import."""
    settings = Settings(home=WORK / "models")
    many = Describer(load_models(settings, workers), at_once=workers)
    one = Describer(load_models(settings))
    photos, crops = _stages_food(many.models, records, folder)
    rounds = -(-sum(len(record.photos) for record in records) // len(photos))
    profile: list[str] = []

    def whole(describer: Describer) -> float:
        nonlocal profile
        rate, profile = _import(Describer(describer.models, at_once=describer.at_once),
                                records, folder)  # fmt: skip
        return rate

    ways: Mapping[str, Callable[[], float]] = {
        "detect alone": lambda: _alone(many.models.detector.detect, photos * rounds, workers),
        "embed alone": lambda: _alone(many.models.encoder.embed, crops * rounds, workers),
        "import, one worker": lambda: whole(one),
        "import": lambda: whole(many),
    }
    rates: Rates = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            rates[name].append(way())
            print(f"{name}: {rates[name][-1]:.1f} photos/s", file=sys.stderr, flush=True)
    return rates, profile


def report(rates: Mapping[str, float], workers: int) -> str:
    """Return the table, each rate beside its share of the slowest model's stage alone, and of all
    models' in turn: where they share the cores, no import can do more.
    """
    alone = [rates[f"{stage} alone"] for stage in OF_MODELS]
    slowest, in_turn = min(alone), 1 / sum(1 / rate for rate in alone)
    rows = [
        [name, f"{rate:.1f}", f"{rate / slowest:.0%}", f"{rate / in_turn:.0%}"]
        for name, rate in rates.items()
    ]
    shares = ["of the slowest model's stage", "of the models in turn"]
    return table([f"{workers} workers", "photos/s", *shares], rows)


def _records(items: int, folder: Path | None) -> tuple[list[ItemRecord], Path]:
    if folder is None:
        folder = WORK / f"shop-{items}"
        if not (folder / "feed.tsv").exists():
            write_shop(folder, sample_items()[:items])
        feed = folder / "feed.tsv"
    else:
        feed = folder
    found = (record for record in read_feed(feed) if isinstance(record, ItemRecord))
    return list(islice(found, items)), folder


def _import(
    describer: Describer, records: Iterable[ItemRecord], folder: Path
) -> tuple[float, list[str]]:
    home = WORK / "home"
    shutil.rmtree(home, ignore_errors=True)
    importer = Importer(Catalogue.open(Settings(home=home), create=True), describer, folder)
    photos = importer.run(records).embedded_photos
    workers = importer.workers
    lines = profile_lines(workers.watch, photos, importer.took_s, workers.count, workers.idle_s)
    return photos / importer.took_s, list(lines)


def _stages_food(
    models: Models, records: Iterable[ItemRecord], folder: Path
) -> tuple[list[Photo], list[NDArray[np.uint8]]]:
    """Return photos as a detector is given them, and one crop of each as an encoder is."""
    named = ((folder / address, record.slot) for record in records for address in record.photos)
    some = list(islice(named, KEPT))
    photos = [read_photo(path) for path, _ in some]
    crops = []
    for photo, (_, slot) in zip(photos, some, strict=True):
        found = models.detector.detect([photo])[0]
        chosen = choose_garments(photo, found, slot, models.detector.confidence)
        crops.append(cut_out(photo.pixels, chosen.xyxy[0], chosen.masks[0], models.encoder.fill))
    return photos, crops


def _alone(stage: Callable[[Sequence[T]], object], food: Sequence[T], workers: int) -> float:
    """Return photos a second of one stage, asked by so many threads."""
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(stage, batches(food, PORTION)))
    return len(food) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
