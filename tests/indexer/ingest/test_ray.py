"""Photos described on a Ray cluster of several nodes: nothing but the time differs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.distributed import worker_pool as ray_crew
from indexer.distributed.ray_workers import RayWorkers
from indexer.distributed.worker import Load
from indexer.distributed.worker_pool import WorkerPool
from indexer.errors import ClusterError, FingerprintMismatch, PhotoMissing
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import ImportReport
from indexer.settings import Settings
from tests.support import ray_models
from tests.support.ray_models import RAY_START_S, InFours
from tests.support.sample_shop import is_consistent
from tests.support.small_catalogue import ITEMS, dots, record_of
from tests.support.stored_garments import rows

# Looked for, not imported: it reads its variables when it is.
pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs: pip install 'lapel[ray]'"),
    pytest.mark.usefixtures("_ray_token"),
]
# The head gives up on a node after four such checks: seconds, not half a minute.
CHECKS = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that takes no work, and two nodes of one CPU each."""
    from ray.cluster_utils import Cluster

    made = Cluster(True, head_node_args={"num_cpus": 0, "_system_config": CHECKS})
    for _ in range(2):
        made.add_node(wait=False, num_cpus=1)
    made.wait_for_nodes(timeout=RAY_START_S)
    yield made
    made.shutdown()


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    """The drawn pictures, one of them cut off and one gone."""
    copied = Path(shutil.copytree(drawn, tmp_path / "shop"))
    broken = copied / record_of(ITEMS[1]).photos[0]
    broken.write_bytes(broken.read_bytes()[:900])
    (copied / record_of(ITEMS[7]).photos[1]).unlink()
    return copied


def new(tmp_path: Path, name: str, **given: Any) -> Catalogue:
    catalogue = Catalogue.open(Settings(home=tmp_path / name, **given), create=True)
    (tmp_path / name / "begun").mkdir()
    return catalogue


def files(catalogue: Catalogue) -> tuple[str, dict[str, bytes]]:
    """What lies in a home beside its rows: the list of errors, and thumbnails."""
    home = catalogue.settings.home
    small = {path.name: path.read_bytes() for path in (home / "thumbnails").glob("*/*.jpg")}
    return (home / "errors.csv").read_text("utf-8"), small


def feed() -> list[ItemRecord]:
    return [record_of(item) for item in ITEMS]


def index_here(tmp_path: Path, folder: Path) -> Catalogue:
    catalogue = new(tmp_path, "here")
    InFours(catalogue, dots(1), folder, folder).run(feed())
    return catalogue


def index_afar(
    catalogue: Catalogue, folder: Path, load: Load, records: Iterator[ItemRecord] | None = None
) -> tuple[ImportReport, WorkerPool]:
    with WorkerPool(catalogue.settings, dots(1).models.fingerprint, load) as crew:
        importer = InFours(
            catalogue, dots(1), folder, folder, make_workers=partial(RayWorkers, crew)
        )
        report = importer.run(records if records is not None else feed())
    return report, crew


def assert_equal(afar: Catalogue, here: Catalogue) -> None:
    assert rows(afar) == rows(here)  # vectors too, to the last bit
    assert files(afar) == files(here)
    assert is_consistent(afar)


def test_a_node_killed_in_the_middle_changes_nothing(
    cluster: Any, folder: Path, tmp_path: Path
) -> None:
    catalogue = new(tmp_path, "afar", ray_address=cluster.address)
    begun = catalogue.settings.home / "begun"
    cluster.add_node(wait=False, num_cpus=1)  # the third worker's
    cluster.wait_for_nodes(timeout=RAY_START_S)
    killed = []

    def rows_until_killed() -> Iterator[ItemRecord]:
        for i, record in enumerate(feed()):
            if i == 12:  # two batches of four are with the workers, none is waited for yet
                while not (
                    busy := [n for n in cluster.worker_nodes if (begun / n.node_id).exists()]
                ):
                    time.sleep(0.01)
                cluster.remove_node(busy[0], allow_graceful=False)
                killed.append(busy[0].node_id)
                (begun / "go").touch()
            yield record

    report, crew = index_afar(catalogue, folder, ray_models.load_held, rows_until_killed())
    assert (report.added, report.errors, report.embedded_photos) == (20, 2, 38)
    assert (len(killed), crew.workers) == (1, 3)
    assert crew.lost >= 1
    assert len(list(begun.iterdir())) >= 3  # who was killed, who did its work, and the file
    assert_equal(catalogue, index_here(tmp_path, folder))


def test_a_killed_driver_goes_on(cluster: Any, folder: Path, tmp_path: Path) -> None:
    catalogue = new(tmp_path, "afar", ray_address=cluster.address)
    words = [str(each) for each in (catalogue.settings.home, folder, cluster.address)]
    command = [sys.executable, "-m", "tests.support.ray_models", *words]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, env=os.environ, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        assert b"stored" in driver.stdout.readline()
        driver.kill()
    stored = {item_id for _, item_id, *_ in rows(catalogue)}
    assert 4 <= len(stored) < len(ITEMS)
    report, _ = index_afar(catalogue, folder, ray_models.load_dots)
    assert report.unchanged >= len(stored) - 2  # the two with a bad picture are looked at again
    assert_equal(catalogue, index_here(tmp_path, folder))


def test_pictures_that_workers_do_not_see_are_sent(
    cluster: Any, folder: Path, tmp_path: Path
) -> None:
    catalogue = new(tmp_path, "afar", ray_address=cluster.address)
    _, crew = index_afar(catalogue, folder, ray_models.load_elsewhere)
    assert not crew.reads_files
    assert_equal(catalogue, index_here(tmp_path, folder))
    again, _ = index_afar(catalogue, folder, ray_models.load_dots)
    assert (again.unchanged, again.embedded_photos) == (20, 0)


@pytest.mark.parametrize(
    ("load", "error", "words"),
    [
        (ray_models.load_others, FingerprintMismatch, "same models on all nodes"),
        (ray_models.load_broken, PhotoMissing, "not on this node"),
        (ray_models.load_deadly, ClusterError, "from .*_worn.jpg on"),
    ],
)
def test_workers_that_cannot_do_it_end_the_run(
    cluster: Any,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    load: Load,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr(ray_crew, "TRIES", 2)
    catalogue = new(tmp_path, "afar", ray_address=cluster.address)
    with pytest.raises(error, match=words):
        index_afar(catalogue, folder, load)
    assert rows(catalogue) == []


def test_no_room_and_no_cluster(cluster: Any) -> None:
    few = WorkerPool(Settings(ray_address=cluster.address, ray_cpus=64), "")
    with pytest.raises(ClusterError, match=r"no node has 64 CPUs and 0 GPUs.*1 CPUs"), few:
        pass
    for address in ("ray://127.0.0.1:1", "127.0.0.1:1", "nowhere"):
        none = WorkerPool(Settings(ray_address=address), "")
        with pytest.raises(ClusterError, match="LAPEL_RAY_ADDRESS"), none:
            pass
