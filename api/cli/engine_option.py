"""Choose where a command describes photos: in this process, or by workers on a Ray cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api.console.terminal import load_describer, say
from indexer.errors import SettingsError

if TYPE_CHECKING:
    from indexer.description.describe import Describer
    from indexer.ingest.importer import WorkersFactory
    from indexer.settings import Settings

EngineOption = Annotated[
    str,
    typer.Option(
        help="Where photos are described: local, or ray for a cluster (docs/guides/ray.md)."
    ),
]
ENGINES = ("local", "ray")


def check_engine(name: str) -> None:
    """Raise SettingsError for an engine that is not known, or not installed."""
    if name not in ENGINES:
        raise SettingsError(f"unknown engine {name!r}; one of {', '.join(ENGINES)}")
    if name == "ray":
        from indexer.distributed.cluster import check_installed

        check_installed()


@contextmanager
def describer_for(
    settings: "Settings", engine: str
) -> "Iterator[tuple[Describer, WorkersFactory]]":
    """Yield a describer, and the factory of the workers that use it. Raises ClusterError."""
    if engine == "local":
        from indexer.ingest.describe_workers import DescribeWorkers

        yield load_describer(settings, is_for_many=True), DescribeWorkers
        return
    from indexer.distributed.ray_workers import RayWorkers
    from indexer.distributed.worker_pool import WorkerPool

    # Here only the models' names are needed, and the text tower for items without a slot.
    describer = load_describer(settings, lazy=True)
    with WorkerPool(settings, describer.models.fingerprint) as pool:
        cpus, gpus = settings.ray_cpus, settings.ray_gpus
        say(f"{pool.workers} workers, each of {cpus} CPUs and {gpus:g} GPUs")
        yield describer, partial(RayWorkers, pool)
    if pool.lost:
        say(f"{pool.lost} portions of photos were lost with their workers, and described again")
