"""Run `lapel` as a process of its own, for benchmarks: a server, commands, and a sample home."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from indexer.system.devices import usual_threads
from training.sample_shop import write_shop

RUNS = Path("runs") / "query"
LAPEL = (sys.executable, "-c", "from api.cli.main import app; app()")
START_S = 120.0  # for the models, exported for the first time, and a million vectors


def sample_home() -> Path:
    """Return the home of the indexed sample shop, drawn now or before."""
    shop, home = RUNS / "shop", RUNS / "home"
    if not (shop / "feed.tsv").exists():
        write_shop(shop)  # all 280 items, of which `lapel sample` has a third
    _lapel(home, "index", shop / "feed.tsv")  # only what changed
    return home


def _lapel(home: Path, *words: object) -> None:
    subprocess.run(  # noqa: S603 # our own command
        [*LAPEL, "--home", str(home), *map(str, words)], check=True
    )


@contextmanager
def running_server(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run `lapel serve` until the block ends; yields its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = home / "speed_query.log"
    with log.open("wb") as out:
        server = subprocess.Popen(  # noqa: S603 # our own command
            [*LAPEL, "--home", str(home), "serve", "--port", str(port)],
            env={**os.environ, "LAPEL_RATE_PER_MINUTE": "0"},
            stdout=out,
            stderr=out,
        )
        try:
            _wait(url, server, log)
            yield url, psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait()


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit(f"the server did not start: {log.read_text('utf-8', 'replace')[-1_500:]}")


def machine() -> str:
    """Return what the processor is called, and how many of its cores may be used."""
    import openvino

    name = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
    return f"{name}, {usual_threads()} threads"
