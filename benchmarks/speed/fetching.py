"""Time the fetching of pictures with connections kept open, beside one connection a picture.

    python -m benchmarks.speed.fetching [--pictures 400] [--rounds 5] [--round-trip-ms 20]

A server of this machine answers as one that is a round trip away: a new connection costs two more
(TCP and TLS 1.3), as `time.sleep`. Both ways are asked in turn; the fastest round of each is shown.
"""

import argparse
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch

from indexer.images import safe_fetch
from indexer.images.safe_fetch import Fetcher, Validators
from indexer.images.web_source import WebSource
from indexer.settings import Settings

PICTURE = bytes(40_000)  # about what a shop's picture of 600 pixels has
HANDSHAKES = 2  # round trips before a request can be sent


class FarServer(ThreadingHTTPServer):
    """Serves one picture under any path, `round_trip_s` away, and counts connections."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, round_trip_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.round_trip_s = round_trip_s
        self.connections = 0


class _Handler(BaseHTTPRequestHandler):
    server: FarServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        time.sleep(HANDSHAKES * self.server.round_trip_s)

    def do_GET(self) -> None:
        time.sleep(self.server.round_trip_s)
        self.send_response(200)
        self.send_header("Content-Length", str(len(PICTURE)))
        self.end_headers()
        self.wfile.write(PICTURE)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def far_server(round_trip_s: float) -> Iterator[FarServer]:
    """Run the server on a thread."""
    with FarServer(round_trip_s) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def fetch_all(server: FarServer, pictures: int, at_once: int, idle_s: float) -> tuple[float, int]:
    """Return the seconds that so many pictures take, and how many connections were made."""
    before, began = server.connections, time.perf_counter()
    with (
        patch.object(safe_fetch, "IDLE_S", idle_s),
        closing(WebSource(Fetcher(inside=["127.0.0.1"]), at_once)) as web,
        ThreadPoolExecutor(at_once) as pool,
    ):
        urls = (f"http://127.0.0.1:{server.server_port}/{i}.jpg" for i in range(pictures))
        deque(pool.map(lambda url: web.fetch(url, Validators()), urls), 0)
    return time.perf_counter() - began, server.connections - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--round-trip-ms", type=float, default=20)
    asked = parser.parse_args()
    at_once = Settings().host_connections
    ways = {"one a picture": 0.0, "kept open": safe_fetch.IDLE_S}
    results: dict[str, list[tuple[float, int]]] = {way: [] for way in ways}
    with far_server(asked.round_trip_ms / 1000) as server:
        for _ in range(asked.rounds):
            for way, idle_s in ways.items():
                results[way].append(fetch_all(server, asked.pictures, at_once, idle_s))
    print(f"{asked.pictures} pictures, {at_once} at once, {asked.round_trip_ms:g} ms away\n")
    print("| connections | made | pictures a second |\n|---|---|---|")
    for way, rounds in results.items():
        took, made = min(rounds)
        print(f"| {way} | {made} | {asked.pictures / took:.0f} |")


if __name__ == "__main__":
    main()
