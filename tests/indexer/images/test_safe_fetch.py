"""Pictures fetched by address: from public servers only, whatever name, redirect or DNS says."""

import ipaddress
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import LapelError, PhotoMissing, PhotoTooManyBytes
from indexer.images.safe_fetch import (
    Address,
    Fetcher,
    FetchFailed,
    FetchRefused,
    Validators,
    is_public,
)

PICTURE = b"\x89PNG and the rest"


class Pictures(BaseHTTPRequestHandler):
    """A server of pictures, and of all that may go wrong with them."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/to":
            self.send_response(302)
            self.send_header("Location", query)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/ever":
            self._send(b"", {"Location": "/ever"}, 302)
        elif path == "/large":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(bytes(1000))
            except OSError:
                self.close_connection = True
        elif path == "/short":
            self._send(PICTURE, {"Content-Length": "1000"})
        elif path == "/gzip":
            self._send(PICTURE, {"Content-Encoding": "gzip"})
        elif path == "/a%20b":
            self._send(PICTURE)
        else:
            self._send(b"", status=404)

    def _send(self, body: bytes, headers: Any = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class KeptOpen(Pictures):
    """The same over connections that stay open, counted."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        KeptOpen.connections += 1
        super().setup()


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Run a server; its port."""
    opened = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        opened.socket = tls.wrap_socket(opened.socket, server_side=True)
    thread = threading.Thread(target=opened.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield opened.server_port
    finally:
        opened.shutdown()
        thread.join()
        opened.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(Pictures) as port:
        yield f"http://127.0.0.1:{port}"


def is_the_test_server(address: Address) -> bool:
    return str(address) == "127.0.0.1"


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(allow=is_the_test_server, ports=None, most_bytes=10_000)


def test_a_picture_and_a_redirect(fetcher: Fetcher, server: str) -> None:
    assert fetcher.fetch(f"{server}/a b") == PICTURE
    assert fetcher.fetch(f"{server}/a%20b") == PICTURE
    assert fetcher.fetch(f"{server}/to?/a%20b") == PICTURE


@pytest.mark.parametrize(
    "path", ["/to?http://127.0.0.2/x", "/to?file:///etc/passwd", "/to?ftp://a"]
)
def test_a_redirect_is_checked_like_the_address_itself(
    fetcher: Fetcher, server: str, path: str
) -> None:
    with pytest.raises(FetchRefused):
        fetcher.fetch(server + path)


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("/nothing", PhotoMissing, "404"),
        ("/large", PhotoTooManyBytes, "10,000"),
        ("/short", PhotoMissing, "broke off"),
        ("/gzip", PhotoMissing, "compressed"),
        ("/ever", PhotoMissing, "more than 3 times"),
    ],
)
def test_what_goes_wrong_is_said(
    fetcher: Fetcher, server: str, path: str, error: type[LapelError], said: str
) -> None:
    with pytest.raises(error, match=said):
        fetcher.fetch(server + path)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://10.0.0.1/x",
        "http://172.16.0.1/x",
        "http://192.168.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/x",
        "http://0.0.0.0/x",
        "http://[fe80::1%25lo]/x",
        "http://[fd00::1]/x",
        "http://224.0.0.1/x",
        "https://user:word@1.1.1.1/x",
        "http://1.1.1.1:22/x",
        "file:///etc/passwd",
        "gopher://1.1.1.1/",
        "//1.1.1.1/x",
        "x.jpg",
    ],
)
def test_addresses_that_are_not_public_are_refused(url: str) -> None:
    with pytest.raises(PhotoMissing):
        Fetcher().fetch(url)


def test_malformed_addresses_are_refused() -> None:
    for url in ("http://[::1", "http://1.1.1.1:99999/", "http://", "http://a\x00b/", ""):
        with pytest.raises(PhotoMissing):
            Fetcher().fetch(url)


def test_one_inner_address_among_a_names_addresses_is_enough_to_refuse() -> None:
    lure = Fetcher(look_up=lambda host, port: ["93.184.215.14", "127.0.0.1"])
    with pytest.raises(FetchRefused):
        lure.fetch("http://lure.example/x")


def test_the_connection_goes_to_the_address_that_was_checked(server: str) -> None:
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)  # a name that changes at the second look
        return ["127.0.0.1" if len(asked) == 1 else "127.0.0.2"]

    port = server.rpartition(":")[2]
    fetcher = Fetcher(allow=is_the_test_server, ports=None, look_up=look_up)
    assert fetcher.fetch(f"http://changing.example:{port}/a%20b") == PICTURE
    assert asked == ["changing.example"]
    with pytest.raises(FetchRefused):
        fetcher.fetch(f"http://changing.example:{port}/a%20b")


def test_a_slow_server_is_given_up() -> None:
    # A server that accepts and never answers: the kernel's backlog does.
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as silent:
        url = f"http://127.0.0.1:{silent.server_port}/a%20b"
        fetcher = Fetcher(allow=is_the_test_server, ports=None, whole_s=0.2)
        with pytest.raises(PhotoMissing, match="cannot be fetched"):
            fetcher.fetch(url)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;", b"x"),
    ],
    ids=["header", "continue", "chunk"],
)
def test_a_server_that_sends_drop_by_drop_is_given_up(start: bytes, drop: bytes) -> None:
    class Dripping(Pictures):
        def do_GET(self) -> None:
            self.close_connection = True
            self.wfile.write(start)
            with suppress(OSError):
                for _ in range(100):
                    self.wfile.write(drop)
                    time.sleep(0.05)

    began = time.monotonic()
    with serving(Dripping) as port, pytest.raises(FetchFailed):
        Fetcher(is_the_test_server, None, whole_s=0.3).fetch(f"http://127.0.0.1:{port}/a")
    assert time.monotonic() - began < 3


def test_a_validator_goes_back_as_it_came() -> None:
    class Versioned(Pictures):
        def do_GET(self) -> None:
            is_known = self.headers["If-None-Match"] == '"\xe9t\xe9"'
            self._send(
                b"" if is_known else PICTURE, {"ETag": '"\xe9t\xe9"'}, 304 if is_known else 200
            )

    with serving(Versioned) as port, closing(Fetcher(is_the_test_server, None)) as fetcher:
        url = f"http://127.0.0.1:{port}/a"
        first = fetcher.fetch_if_changed(url, Validators())
        assert first.content == PICTURE
        assert fetcher.fetch_if_changed(url, first.validators).content is None


def test_a_kept_connection_that_the_server_closes_is_opened_again() -> None:
    class ClosesOnReuse(KeptOpen):
        def do_GET(self) -> None:
            if hasattr(self, "was_asked"):
                self.close_connection = True
                return
            self.was_asked = True
            super().do_GET()

    with serving(ClosesOnReuse) as port, closing(Fetcher(is_the_test_server, None)) as fetcher:
        for _ in range(3):
            assert fetcher.fetch(f"http://127.0.0.1:{port}/a b") == PICTURE


def test_an_error_page_is_named_by_its_status_however_it_is_sent() -> None:
    class Broken(Pictures):
        def do_GET(self) -> None:
            self._send(b"not found", {"Content-Length": "1000"}, 404)

    with serving(Broken) as port, pytest.raises(PhotoMissing, match="answers 404"):
        Fetcher(is_the_test_server, None).fetch(f"http://127.0.0.1:{port}/a")


def test_public_addresses_are_public() -> None:
    for address in ("1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"):
        assert is_public(ipaddress.ip_address(address))
    assert not is_public(ipaddress.ip_address("2002:7f00:1::"))  # 6to4 of 127.0.0.1


def test_a_connection_is_kept_open_for_the_next_picture() -> None:
    KeptOpen.connections = 0
    looked_up: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1" if looked_up == ["a.example"] else "127.0.0.2"]

    fetcher = Fetcher(allow=is_the_test_server, ports=None, look_up=look_up)
    with serving(KeptOpen) as port, closing(fetcher):
        url = f"http://a.example:{port}"
        for _ in range(3):
            assert fetcher.fetch(f"{url}/a b") == fetcher.fetch(f"{url}/to?/a%20b") == PICTURE
        with pytest.raises(PhotoMissing, match="404"):
            fetcher.fetch(f"{url}/nothing")
        assert fetcher.fetch(f"{url}/a b") == PICTURE
        # Looked up once: it leads to the address that was checked, whatever the name says now.
        assert (KeptOpen.connections, looked_up) == (1, ["a.example"])
        with pytest.raises(FetchRefused):  # another name of the same server is another host
            fetcher.fetch(f"http://b.example:{port}/a b")
        fetcher.close()
        with pytest.raises(FetchRefused):
            fetcher.fetch(f"{url}/a b")


def test_threads_share_a_fetcher() -> None:
    KeptOpen.connections = 0
    fetcher = Fetcher(allow=is_the_test_server, ports=None)
    with serving(KeptOpen) as port, closing(fetcher), ThreadPoolExecutor(4) as pool:
        urls = [f"http://127.0.0.1:{port}/a b"] * 40
        assert set(pool.map(fetcher.fetch, urls)) == {PICTURE}
        assert KeptOpen.connections <= 4


def test_a_server_must_have_the_certificate_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=shop.example",
         "-addext", "subjectAltName=DNS:shop.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetcher = Fetcher(is_the_test_server, ports=None, look_up=lambda host, port: ["127.0.0.1"])
    with serving(Pictures, context) as port, closing(fetcher):
        assert fetcher.fetch(f"https://shop.example:{port}/a b") == PICTURE
        with pytest.raises(PhotoMissing, match="certificate") as refused:
            fetcher.fetch(f"https://other.example:{port}/a b")
        assert not isinstance(refused.value, FetchFailed)  # asking again would be no use
