"""A picture server for tests: it counts what it is asked, and can fail in the ways servers do."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class PictureServer(ThreadingHTTPServer):
    """Serves `pictures` by path; `behaviour` says by path how it fails."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pictures: dict[str, bytes] = {}
        self.behaviour: dict[str, str] = {}
        self.asked: list[str] = []
        self.sent: list[str] = []  # whose content was sent, not only a 304
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.stop = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: PictureServer

    def do_GET(self) -> None:
        at = self.server
        with at.lock:
            at.asked.append(self.path)
        try:
            self._answer()
        except OSError:
            self.close_connection = True

    def _answer(self) -> None:
        at = self.server
        how = at.behaviour.get(self.path, "")
        earlier = at.asked.count(self.path) - 1
        if how == "stalls":
            at.stop.wait(20)
        elif how.startswith("busy") and earlier < int(how.split()[1]):
            self._send(429, {"Retry-After": "3"})
        elif how == "down":
            self._send(503, {})
        elif how.startswith("to "):
            self._send(302, {"Location": how[3:]})
        elif how == "huge":
            self.send_response(200)
            self.end_headers()
            for _ in range(400):
                self.wfile.write(bytes(100_000))
        elif self.path not in at.pictures:
            self._send(404, {})
        else:
            self._send_picture(how)

    def _send_picture(self, how: str) -> None:
        if how == "slow":
            self._linger()
        content = self.server.pictures[self.path]
        etag = f'"{hash(content)}"' if how != "no etag" else ""
        if etag and self.headers.get("If-None-Match") == etag:
            self._send(304, {"ETag": etag})
            return
        with self.server.lock:
            self.server.sent.append(self.path)
        self._send(200, {"ETag": etag} if etag else {}, content)

    def _linger(self) -> None:
        """Take long enough that others come meanwhile, and count them."""
        at = self.server
        with at.lock:
            at.at_once += 1
            at.most_at_once = max(at.most_at_once, at.at_once)
        time.sleep(0.05)
        with at.lock:  # before the answer: whoever has it may ask for the next at once
            at.at_once -= 1

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def picture_server() -> Iterator[PictureServer]:
    server = PictureServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
