"""Connect to the Ray cluster of the settings, or start one on this machine alone."""

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
    """Yield the `ray` module, connected; a connection of this process is reused and left open.

    Raises SettingsError where Ray is not installed, ClusterError where no cluster answers.
    """
    ray = _ray(is_local=not settings.ray_address)
    if ray.is_initialized():
        yield ray
        return
    local: dict[str, Any] = {"include_dashboard": False, "num_cpus": usual_threads()}
    try:
        _reach(settings.ray_address)
        ray.init(
            address=settings.ray_address or "local",  # "local": whatever RAY_ADDRESS says
            logging_level=logging.WARNING,
            log_to_driver=False,
            **({} if settings.ray_address else local),
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
    """Raise OSError if nothing listens at an address: Ray itself would try for minutes."""
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
    """Import Ray without telemetry, and with a token that keeps others out of a local cluster."""
    check_installed()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # The default of a later Ray; this one warns.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if is_local:  # else 15: all other processes would come first
        os.environ.setdefault("RAY_worker_niceness", "0")
    if is_local and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        # Ray's ports are open to the network, and any client may run code. Ray reads these on
        # import; without them it keeps one token for all clusters in the user's home.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    import ray

    return ray
