"""Measure latency, errors and memory of a running server by number of clients.

Run: python -m benchmarks.speed.load --seconds 30 PHOTO; --minutes 10 for one long run of memory;
--minutes 1 --clients 4 --switch HOME PHOTO for one in which the server's models are switched.
"""

import argparse
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.speed.model_switch import switching

CLIENTS = (1, 4, 16)
TIMEOUT_S = 120.0
SAMPLE_S = 5.0  # between two looks at the memory
MB = 1_000_000
HEADER = (
    "| clients | answers | a second | p50 ms | p95 ms | p99 ms | busy (503) | errors | "
    "MB before | MB midway | MB after | MB most |\n|" + "---:|" * 12
)


@dataclass(slots=True)
class Load:
    """What some clients saw together; latencies in seconds, of answers of 200 only."""

    clients: int
    seconds: float
    latencies: list[float] = field(default_factory=list)
    busy: int = 0
    """Times that a full queue sent a client away; it came again."""
    errors: Counter[str] = field(default_factory=Counter)
    rss: list[int] = field(default_factory=list)
    """Bytes of the server's memory, first before the load and last after it."""

    def row(self) -> str:
        """Return this as a row under `HEADER`."""
        spread = [0.0, 0.0, 0.0]
        if self.latencies:
            spread = [float(v) for v in np.percentile(self.latencies, (50, 95, 99))]
        memory = ["-"] * 4
        if self.rss:
            looks = (self.rss[0], self.rss[len(self.rss) // 2], self.rss[-1], max(self.rss))
            memory = [f"{look / MB:.0f}" for look in looks]
        cells = [
            str(self.clients),
            str(len(self.latencies)),
            f"{len(self.latencies) / self.seconds:.1f}",
            *(f"{value * 1000:.0f}" for value in spread),
            str(self.busy),
            str(self.errors.total()),
            *memory,
        ]
        return f"| {' | '.join(cells)} |"


def measure(
    send: Callable[[httpx.Client], httpx.Response],
    clients: int,
    seconds: float,
    read_rss: Callable[[], int] | None = None,
) -> Load:
    """Let clients send one request after another for so long; each waits for its answer."""
    load = Load(clients, seconds)
    end = time.perf_counter() + seconds
    lock = threading.Lock()
    threads = [
        threading.Thread(target=_ask, args=(send, end, load, lock), daemon=True)
        for _ in range(clients)
    ]
    if read_rss:
        load.rss.append(read_rss())
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while read_rss and (left := end - time.perf_counter()) > 0:
        time.sleep(min(SAMPLE_S, left))
        load.rss.append(read_rss())
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - started
    if read_rss:
        load.rss.append(read_rss())
    return load


def _ask(
    send: Callable[[httpx.Client], httpx.Response], end: float, load: Load, lock: threading.Lock
) -> None:
    with httpx.Client(timeout=TIMEOUT_S) as client:
        while (sent := time.perf_counter()) < end:
            wait_s = 0.0
            try:
                answer = send(client)
                took = time.perf_counter() - sent
                with lock:
                    if answer.status_code == 503:
                        load.busy += 1
                        wait_s = float(answer.headers.get("retry-after", "1"))
                    elif answer.status_code == 200:
                        load.latencies.append(took)
                    else:
                        load.errors[f"{answer.status_code} {answer.text[:100]}"] += 1
            except httpx.HTTPError as error:
                with lock:
                    load.errors[type(error).__name__] += 1
            if wait_s:
                time.sleep(min(wait_s, max(0.0, end - time.perf_counter())))


def search_request(
    url: str, photo: bytes, key: str = "", catalogue: str = "default"
) -> Callable[[httpx.Client], httpx.Response]:
    """Return what sends one search with an uploaded photo, as a page would."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = f"{url.rstrip('/')}/v1/catalogues/{catalogue}/search"
    return lambda client: client.post(address, files={"photo": photo}, headers=headers)


def main(words: Sequence[str] | None = None) -> None:
    """Print a Markdown table; a server must run, with LAPEL_RATE_PER_MINUTE=0."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", default="")
    parser.add_argument("--catalogue", default="default")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each number of clients")
    parser.add_argument("--minutes", type=float, default=0.0, help="in place of --seconds")
    parser.add_argument("--pid", type=int, help="the server's process, to read its memory")
    parser.add_argument(
        "--switch",
        type=Path,
        metavar="HOME",
        help="make that server's catalogue anew meanwhile, by other models and back",
    )
    given = parser.parse_args(words)
    send = search_request(given.url, given.photo.read_bytes(), given.key, given.catalogue)
    with httpx.Client(timeout=TIMEOUT_S) as client:
        send(client).raise_for_status()  # also warms the models up
    process = psutil.Process(given.pid) if given.pid else None
    read_rss = (lambda: int(process.memory_info().rss)) if process else None
    print(HEADER)
    for clients in given.clients:
        with switching(given.switch, given.catalogue) as switched:
            load = measure(send, clients, given.minutes * 60 or given.seconds, read_rss)
        print(load.row(), flush=True)
        for error, count in load.errors.most_common(5):
            print(f"{count} times: {error}")
        for line in switched:
            print(line)


if __name__ == "__main__":
    main()
