"""Fetch pictures from public web servers only, over connections that are kept open.

An address that others send may point at this machine or its neighbours (server-side request
forgery, OWASP). So each connection resolves its host once, checks every address found, and connects
to an address that was checked; a redirect goes through the same checks. The validators of a
response (RFC 9110: ETag, Last-Modified) go into the next request for it.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import mktime_tz, parsedate_tz
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import httpcore

from indexer.errors import PhotoMissing, PhotoTooManyBytes
from indexer.images.decode_limits import MAX_BYTES

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Iterable[str]]

SILENCE_S = 5.0  # without one byte
WHOLE_S = 15.0  # a picture of 25 MB over an ordinary line, and no longer
REDIRECTS = 3  # a shop's picture server uses one or two
PORTS = frozenset([80, 443])  # where pictures are; other ports are other services
# Servers close an idle connection after 5 s (Apache, Node) to 75 s (nginx): ours is closed first,
# so that no request is sent into one that is being closed.
IDLE_S = 4.0
# Ranges that carry an IPv4 address within: what counts is the address they lead to.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MOVED = (301, 302, 303, 307, 308)
# The server is busy or being restarted: the same request may well be answered a little later.
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_HEADERS = {"User-Agent": "lapel", "Accept": "image/*", "Accept-Encoding": "identity"}
_ERRORS = (OSError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


class FetchRefused(PhotoMissing):
    """A web address that is not fetched, because of where it leads."""


class FetchFailed(PhotoMissing):
    """A picture that could not be fetched now, and may be later.

    `wait_s` is how long the server asks to be left alone, None if it does not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of one version of a picture; both empty where the server sends none."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A server's answer: `content` is None when the picture still is the known version."""

    content: bytes | None
    validators: Validators


def is_inside(address: Address) -> bool:
    """Tell whether an address may be asked where a setting names its host.

    Never one that only this link knows: 169.254.169.254 hands out a cloud machine's credentials.
    """
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not ((mapped or address).is_link_local or address.is_multicast)


def is_public(address: Address) -> bool:
    """Tell whether an address is on the public internet, also when written as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


class _Request(threading.local):
    """What a thread's present request may take, and whether a connection was opened for it."""

    until = 0.0
    is_connected_anew = False


class _TimedStream(httpcore.NetworkStream):
    """A connection that no server keeps for longer than a request may take, byte by byte."""

    def __init__(self, stream: httpcore.NetworkStream, request: _Request) -> None:
        self._stream = stream
        self._request = request

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come. Raises httpcore.ReadTimeout."""
        left = self._request.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("it took too long")
        return self._stream.read(max_bytes, left if timeout is None else min(left, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        """Return the same connection, encrypted."""
        return _TimedStream(self._stream.start_tls(*args, **kwargs), self._request)

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the socket."""
        return self._stream.get_extra_info(info)


@dataclass
class _CheckedNetwork(httpcore.SyncBackend):
    """Opens connections to hosts whose addresses may all be asked; see `Fetcher`."""

    allow: Callable[[Address], bool]
    ports: frozenset[int] | None
    look_up: Resolve
    inside: Collection[str] | None  # None: nobody who is answered could set them
    request: _Request = field(default_factory=_Request)

    def connect_tcp(
        self, host: str, port: int, *args: Any, **kwargs: Any
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers. Raises FetchRefused."""
        self.request.is_connected_anew = True
        failed: Exception = OSError("no address")
        for address in self._checked(host, port):
            try:
                stream = super().connect_tcp(address, port, *args, **kwargs)
                return _TimedStream(stream, self.request)
            except _ERRORS as error:
                failed = error
        raise failed

    def _checked(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, looked up once and each of them checked."""
        is_named = host in (self.inside or ())
        if self.ports is not None and not is_named and port not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise FetchRefused(f"{host} is asked at port {port}; pictures are fetched at {allowed}")
        addresses = list(self.look_up(host, port))
        allow = is_inside if is_named else self.allow
        # One address that may not be asked is enough: the others could be a lure.
        if addresses and all(allow(ipaddress.ip_address(a.partition("%")[0])) for a in addresses):
            return addresses
        hint = ", or if it is your own shop's, name the host in LAPEL_PRIVATE_PICTURE_HOSTS"
        raise FetchRefused(
            f"{host} is not on the public internet; pictures are fetched from public addresses "
            f"only: send the picture itself{'' if self.inside is None else hint}"
        )


class Fetcher:
    """Fetches pictures; threads may share it. To be closed.

    `allow` says which addresses may be asked, `ports` which ports (None: any). `inside` are hosts
    trusted wherever they lie, at any port; `look_up` turns a host into its addresses.
    """

    def __init__(
        self,
        allow: Callable[[Address], bool] = is_public,
        ports: frozenset[int] | None = PORTS,
        look_up: Resolve = resolve,
        most_bytes: int = MAX_BYTES,
        whole_s: float = WHOLE_S,
        inside: Collection[str] | None = None,
    ) -> None:
        self._most_bytes = most_bytes
        self._whole_s = whole_s
        hosts = None if inside is None else frozenset(host.lower() for host in inside)
        network = _CheckedNetwork(allow, ports, look_up, hosts)
        self._request = network.request
        self._pool = httpcore.ConnectionPool(
            ssl.create_default_context(),
            max_connections=None,  # its users bound how much they ask for at once
            keepalive_expiry=IDLE_S,
            network_backend=network,
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pool.close()

    def fetch(self, url: str) -> bytes:
        """Return the picture at an address, at most 25 MB.

        Raises FetchRefused, FetchFailed, PhotoMissing, PhotoTooManyBytes.
        """
        fetched = self.fetch_if_changed(url, Validators())
        if fetched.content is None:  # 304, though no version was named
            raise PhotoMissing(f"{url} answers 304; expected a picture (200)")
        return fetched.content

    def fetch_if_changed(self, url: str, known: Validators) -> Fetched:
        """Return the picture at an address, without content where it still is the known version.

        Raises FetchRefused, FetchFailed, PhotoMissing, PhotoTooManyBytes.
        """
        self._request.until = time.monotonic() + self._whole_s
        address = url
        for _ in range(REDIRECTS + 1):
            try:
                answer = self._ask(address, known)
            except (ValueError, *_ERRORS) as error:
                kind = PhotoMissing if _is_lasting(error) else FetchFailed
                why = f"{url} cannot be fetched ({str(error) or type(error).__name__})"
                raise kind(f"{why}; check the address, or send the picture itself") from error
            if isinstance(answer, Fetched):
                return answer
            address = answer
        raise PhotoMissing(f"{url} leads on more than {REDIRECTS} times; send the last address")

    def _ask(self, url: str, known: Validators) -> str | Fetched:
        """Return the address that a server redirects to, or its picture."""
        self._request.is_connected_anew = False
        try:
            return self._ask_once(url, known)
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            if self._request.is_connected_anew:
                raise
            return self._ask_once(url, known)  # a kept connection was closed just then

    def _ask_once(self, url: str, known: Validators) -> str | Fetched:
        parts = _web_parts(url)
        # What a person pastes has blanks and letters beyond ASCII; what is escaped stays so.
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        target += f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
        host = str(parts.hostname).encode("idna")
        wait = min(SILENCE_S, max(0.1, self._request.until - time.monotonic()))
        with self._pool.stream(
            "GET",
            httpcore.URL(scheme=parts.scheme, host=host, port=parts.port, target=target),
            headers=_headers(parts.netloc, known),
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), wait)},
        ) as response:
            return self._answered(response, url, known)

    def _answered(self, response: httpcore.Response, url: str, known: Validators) -> str | Fetched:
        headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status != 200:
            with suppress(FetchFailed, PhotoTooManyBytes):
                self._read(response, url)  # whatever it is: so its connection is kept
        if response.status in _MOVED and (location := headers.get(b"location")):
            return urljoin(url, location)
        if response.status == 304:
            return Fetched(None, known)
        if response.status in _BUSY:
            wait_s = _asked_wait_s(headers.get(b"retry-after", ""))
            raise FetchFailed(f"{url} answers {response.status}; try again later", wait_s)
        if response.status != 200:
            raise PhotoMissing(f"{url} answers {response.status}; expected a picture (200)")
        if headers.get(b"content-encoding", "identity").lower() != "identity":
            raise PhotoMissing(f"{url} is sent compressed although that was not asked for")
        version = Validators(headers.get(b"etag", ""), headers.get(b"last-modified", ""))
        return Fetched(self._read(response, url), version)

    def _read(self, response: httpcore.Response, url: str) -> bytes:
        content = bytearray()
        try:
            for chunk in response.iter_stream():
                content += chunk
                if len(content) > self._most_bytes:
                    most = f"{self._most_bytes:,} bytes"
                    raise PhotoTooManyBytes(f"{url} has more than {most}; give a smaller picture")
        except httpcore.RemoteProtocolError as error:  # less came than was announced
            count = f"{len(content):,} bytes"
            raise FetchFailed(f"{url} broke off after {count}; try again") from error
        except httpcore.ReadTimeout as error:
            raise FetchFailed(f"{url} does not send all of it in time; try again later") from error
        return bytes(content)


def _web_parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchRefused(f"{url} is no http or https address; give one, or send the picture")
    if parts.username or parts.password:
        raise FetchRefused(f"{parts.hostname}: an address with a name or password in it")
    return parts


def _headers(host: str, known: Validators) -> list[tuple[bytes, bytes]]:
    headers = {"Host": host.encode("idna").decode(), **_HEADERS}
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    # A validator goes back as it came, also with bytes beyond ASCII.
    named = {**headers, **conditions}
    return [(name.encode(), text.encode("latin-1")) for name, text in named.items() if text]


def _asked_wait_s(text: str) -> float | None:
    """Return the seconds that a Retry-After names, as a number or as a date."""
    if text.strip().isdecimal():
        return float(text)
    date = parsedate_tz(text)
    try:
        return max(0.0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):  # a year beyond 9999
        return None


def _is_lasting(error: Exception) -> bool:
    """Tell whether asking again would be no use: no such host, a wrong certificate."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    wrapped = (error, *error.args[:1])  # httpcore's errors hold those of the ssl module
    return any(isinstance(each, ValueError | ssl.SSLCertVerificationError) for each in wrapped)
