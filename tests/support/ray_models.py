"""What Ray's workers load in tests, and a driver of theirs to be killed.

    python -m tests.support.ray_models HOME PICTURES ADDRESS

indexes the small catalogue's items on the cluster at that address, and says what it has stored.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from indexer.description.describe import Describer
from indexer.distributed import worker as ray_worker
from indexer.distributed.ray_workers import RayWorkers
from indexer.distributed.worker_pool import WorkerPool
from indexer.errors import PhotoMissing
from indexer.garments import Garments
from indexer.images.photo import Photo
from indexer.ingest.importer import Importer
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from tests.soak.kill_writer import Acknowledging
from tests.support.fake_models import SeesNothing
from tests.support.small_catalogue import ITEMS, Dots, dots, record_of

# For a node to come up, on a machine that does other things, too.
RAY_START_S = 120
SLOW_S = 0.05  # a photo: sixteen of them are long enough to be killed in


class Slow(SeesNothing):
    """A Detector that takes its time."""

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        time.sleep(SLOW_S * len(photos))
        return super().detect(photos)


class Held(SeesNothing):
    """A Detector that notes where it has begun, and waits for a file: whoever has begun is busy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        import ray

        (self._folder / ray.get_runtime_context().get_node_id()).touch()
        while not (self._folder / "go").exists():
            time.sleep(0.01)
        return super().detect(photos)


class Deadly(SeesNothing):
    """A Detector that a picture kills."""

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        os._exit(3)


def load_dots(settings: Settings, threads: int) -> Describer:
    return replace(dots(1), at_once=threads)


def load_others(settings: Settings, threads: int) -> Describer:
    return replace(dots(2), at_once=threads)


def load_slow(settings: Settings, threads: int) -> Describer:
    return Describer(Models(Slow(), Dots(1), AttributeHeads([])), at_once=threads)


def load_held(settings: Settings, threads: int) -> Describer:
    models = Models(Held(settings.home / "begun"), Dots(1), AttributeHeads([]))
    return Describer(models, at_once=threads)


def load_deadly(settings: Settings, threads: int) -> Describer:
    return Describer(Models(Deadly(), Dots(1), AttributeHeads([])), at_once=threads)


def load_elsewhere(settings: Settings, threads: int) -> Describer:
    """Load on a machine where the pictures' paths lead nowhere."""

    def read_bytes(path: Path) -> bytes:
        raise PhotoMissing(f"no file at {path}")

    setattr(ray_worker, "read_bytes", read_bytes)  # noqa: B010 - it is not ours to name
    return load_dots(settings, threads)


def load_broken(settings: Settings, threads: int) -> Describer:
    raise PhotoMissing("the models' folder is not on this node")


class InFours(Importer):
    """An Importer of small batches, so that several are under way."""

    items_a_batch = 4


def main() -> None:
    home, pictures, address = sys.argv[1:]
    settings = Settings(home=Path(home), ray_address=address)
    catalogue = Acknowledging.open(settings, create=True)
    folder = Path(pictures)
    with WorkerPool(settings, dots(1).models.fingerprint, load_slow) as crew:
        make_workers = partial(RayWorkers, crew)
        importer = InFours(catalogue, dots(1), folder, folder, make_workers=make_workers)
        importer.run([record_of(item) for item in ITEMS])


if __name__ == "__main__":
    main()
