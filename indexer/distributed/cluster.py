"""Settings in, a Ray cluster that is connected out: one that runs, or one on this machine alone."""

import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from indexer.errors import ClusterError, SettingsError
from indexer.settings import Settings
from indexer.system.devices import usual_threads

REACH_S = 10  # a machine in another network answers within one


@contextmanager
def connected(settings: Settings) -> Iterator[Any]:
    """Give the `ray` module, connected; where this process is already, it stays so.

    Raises SettingsError where Ray is not installed, ClusterError where no cluster answers.
    """
    ray = _ray(is_local=not settings.ray_address)
    if ray.is_initialized():
        yield ray
        return
    own: dict[str, Any] = {"include_dashboard": False, "num_cpus": usual_threads()}
    try:
        _reach(settings.ray_address)
        ray.init(
            address=settings.ray_address or "local",  # "local": whatever RAY_ADDRESS says
            logging_level=logging.WARNING,
            log_to_driver=False,
            **({} if settings.ray_address else own),
        )
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise ClusterError(
            f"no Ray cluster at {settings.ray_address or 'this machine'}: {error}; set "
            "LAPEL_RAY_ADDRESS to ray://HOST:10001, HOST:6379 or auto, or unset it for one of "
            "this machine alone"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError for an address that nobody listens at: Ray itself tries for minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), REACH_S).close()


def room_for(ray: Any, settings: Settings) -> int:
    """Return how many workers the nodes have room for. Raises ClusterError where there is none."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = 0
    for node in nodes:
        fits = node.get("CPU", 0) // settings.ray_cpus
        if settings.ray_gpus:
            fits = min(fits, node.get("GPU", 0) // settings.ray_gpus)
        room += int(fits)
    if not room:
        had = ", ".join(f"{n.get('CPU', 0):g} CPUs {n.get('GPU', 0):g} GPUs" for n in nodes)
        raise ClusterError(
            f"no node has {settings.ray_cpus} CPUs and {settings.ray_gpus:g} GPUs for a worker, "
            f"there are: {had or 'none'}; set LAPEL_RAY_CPUS and LAPEL_RAY_GPUS to less"
        )
    return room


def check_installed() -> None:
    """Raise SettingsError where Ray is not installed."""
    if find_spec("ray") is None:
        raise SettingsError(
            "indexing on a cluster needs Ray; install it with: pip install 'lapel[ray]', or leave "
            "--engine ray out"
        )


def _ray(is_local: bool) -> Any:
    """Import Ray so that it tells nobody of its use, and lets nobody else into our own cluster."""
    check_installed()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # What a later Ray will do anyway: now it warns.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if is_local:  # else 15: whatever else the machine does would come first
        os.environ.setdefault("RAY_worker_niceness", "0")
    if is_local and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        # Ray's ports are open to the network, and whoever speaks to them runs what they like. It
        # reads these as it is imported, and else keeps one token for all in the user's home.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    import ray

    return ray
