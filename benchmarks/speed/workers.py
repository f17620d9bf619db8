"""Compare speed and memory of servers with one, two and more workers.

Memory is the proportional set (PSS): a page that N processes share counts as 1/N of each.
Run: python -m benchmarks.speed.workers HOME PHOTO --workers 1 2 4 --seconds 30
"""

import argparse
import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.speed.lapel_process import LAPEL
from benchmarks.speed.load import MB, TIMEOUT_S, measure, search_request
from benchmarks.speed.plots import saved_figure

START_S = 600.0  # models of many workers on a busy machine
WARM = 4  # requests to each worker before anything is measured
HEADER = (
    "| workers | answers a second | p50 ms | p95 ms | errors | MB resident | MB proportional | "
    "MB a further worker |\n|" + "---:|" * 8
)


@dataclass(frozen=True, slots=True)
class Served:
    """What servers of so many workers did; bytes are sums over all processes."""

    workers: int
    per_s: float
    p50_ms: float
    p95_ms: float
    errors: int
    rss_bytes: int
    pss_bytes: int

    def row(self, first: "Served") -> str:
        """Return this as a row under `HEADER`; `first` is the row of fewest workers."""
        more = self.workers - first.workers
        further = f"{(self.pss_bytes - first.pss_bytes) / more / MB:.0f}" if more else "-"
        numbers = f"{self.per_s:.1f} | {self.p50_ms:.0f} | {self.p95_ms:.0f} | {self.errors}"
        memory = f"{self.rss_bytes / MB:.0f} | {self.pss_bytes / MB:.0f} | {further}"
        return f"| {self.workers} | {numbers} | {memory} |"


def serve_and_measure(
    home: Path, photo: bytes, workers: int, clients: int, seconds: float
) -> Served:
    """Start a server of so many workers, load it, and read its memory at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ["serve", "--port", str(port), "--workers", str(workers)]
    command = [*LAPEL, "--home", str(home), *words]
    quiet = subprocess.DEVNULL
    variables = os.environ | {"LAPEL_RATE_PER_MINUTE": "0"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=variables, stdout=quiet, stderr=quiet
    ) as server:
        try:
            _wait(url, server)
            send = search_request(url, photo)
            measure(send, WARM * workers, WARM)  # a connection each, so that all get some
            load = measure(send, clients, seconds)
            processes = [each for each in _tree(server.pid) if each.is_running()]
            memory = [each.memory_full_info() for each in processes]
        finally:
            server.terminate()
    p50, p95 = np.percentile(load.latencies, (50, 95)) * 1000 if load.latencies else (0.0, 0.0)
    return Served(
        workers,
        len(load.latencies) / load.seconds,
        float(p50),
        float(p95),
        load.errors.total(),
        sum(each.rss for each in memory),
        sum(each.pss for each in memory),
    )


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}; run `lapel serve`")
        try:
            if httpx.get(f"{url}/readyz", timeout=TIMEOUT_S).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise RuntimeError(f"no answer from {url} within {START_S:g} s")


def draw(rows: Sequence[Served], path: Path) -> None:
    """Draw speed and memory by the number of workers."""
    counts = [str(row.workers) for row in rows]
    with saved_figure(path, 8, 3.2, 1, 2) as grid:
        speed, memory = grid[0]
        speed.bar(counts, [row.per_s for row in rows])
        speed.set(xlabel="workers", ylabel="photo searches a second")
        memory.bar(counts, [row.rss_bytes / MB for row in rows], label="resident, summed")
        memory.bar(counts, [row.pss_bytes / MB for row in rows], label="proportional")
        memory.set(xlabel="workers", ylabel="MB")
        memory.legend()


def main(words: Sequence[str] | None = None) -> None:
    """Print a Markdown table; write the same as JSON and as a picture."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=(1, 2, 4))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each number of workers")
    parser.add_argument("--out", type=Path, default=Path("runs/workers"))
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    photo = given.photo.read_bytes()
    rows: list[Served] = []
    # Not counted: the first start exports the models, which takes a gigabyte once.
    serve_and_measure(given.home, photo, 1, 1, 1.0)
    print(HEADER)
    for workers in given.workers:
        rows.append(serve_and_measure(given.home, photo, workers, given.clients, given.seconds))
        print(rows[-1].row(rows[0]), flush=True)
    (given.out / "workers.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
    draw(rows, given.out / "workers.png")


if __name__ == "__main__":
    main()
