"""A web address in, the bytes of a picture out; only public servers are asked.

An address that others send may point at this machine or its neighbours (server-side request
forgery, OWASP). So a host's addresses are looked up once, each is checked, and the connection goes
to the very address that was checked; each redirect goes through the same again.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from indexer.errors import PhotoMissing, PhotoTooManyBytes
from indexer.photo import MAX_BYTES

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Iterable[str]]

SILENCE_S = 5.0  # without one byte
WHOLE_S = 15.0  # a picture of 25 MB over an ordinary line, and no longer
REDIRECTS = 3  # a shop's picture server uses one or two
PORTS = frozenset([80, 443])  # where pictures are; other ports are other services
CHUNK = 65_536
# Ranges that carry an IPv4 address within: what counts is the address they lead to.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MOVED = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "lapel", "Accept": "image/*", "Accept-Encoding": "identity"}


class FetchRefused(PhotoMissing):
    """A web address that is not fetched, because of where it leads."""


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
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Fetcher:
    """Fetches pictures. `allow` says which addresses may be asked, `ports` which ports (None: any).

    `look_up` turns a host into addresses.
    """

    def __init__(
        self,
        allow: Callable[[Address], bool] = is_public,
        ports: frozenset[int] | None = PORTS,
        look_up: Resolve = resolve,
        most_bytes: int = MAX_BYTES,
        whole_s: float = WHOLE_S,
    ) -> None:
        self._allow = allow
        self._ports = ports
        self._look_up = look_up
        self._most_bytes = most_bytes
        self._whole_s = whole_s

    def fetch(self, url: str) -> bytes:
        """Return what is at an address, at most 25 MB.

        Raises FetchRefused, PhotoMissing, PhotoTooManyBytes.
        """
        until = time.monotonic() + self._whole_s
        address = url
        for _ in range(REDIRECTS + 1):
            try:
                moved, content = self._ask(address, until)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise PhotoMissing(
                    f"{url} cannot be fetched ({error or type(error).__name__}); check the "
                    "address, or send the picture itself"
                ) from error
            if moved is None:
                return content
            address = moved
        raise PhotoMissing(f"{url} leads on more than {REDIRECTS} times; send the last address")

    def _ask(self, url: str, until: float) -> tuple[str | None, bytes]:
        """Return where an address leads on to, or None and its content."""
        parts = self._checked(url)
        connection = self._connection(parts, until)
        try:
            # What a person pastes has blanks and letters beyond ASCII; what is escaped stays so.
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
            query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
            connection.request("GET", path + query, headers=_HEADERS)
            answer = connection.getresponse()
            if answer.status in _MOVED and (location := answer.getheader("Location")):
                return urljoin(url, location), b""
            if answer.status != 200:
                raise PhotoMissing(f"{url} answers {answer.status}; expected a picture (200)")
            return None, self._read(answer, url, until)
        finally:
            connection.close()

    def _checked(self, url: str) -> SplitResult:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FetchRefused(f"{url} is no http or https address; give one, or send the picture")
        if parts.username or parts.password:
            raise FetchRefused(f"{parts.hostname}: an address with a name or password in it")
        if self._ports is not None and _port(parts) not in self._ports:
            allowed = ", ".join(map(str, sorted(self._ports)))
            raise FetchRefused(
                f"{url} names port {_port(parts)}; pictures are fetched at {allowed}"
            )
        return parts

    def _connection(self, parts: SplitResult, until: float) -> http.client.HTTPConnection:
        """Return a connection to an address of the host that was checked."""
        host, port = parts.hostname or "", _port(parts)
        found = list(self._look_up(host, port))
        # One address that may not be asked is enough: the others could be a lure.
        bad = [a for a in found if not self._allow(ipaddress.ip_address(a.partition("%")[0]))]
        if bad or not found:
            raise FetchRefused(
                f"{host} is not on the public internet; pictures are fetched from public "
                "addresses only: send the picture itself"
            )
        wait = min(SILENCE_S, max(0.1, until - time.monotonic()))
        plain = _connect(found, port, wait)
        connection = http.client.HTTPConnection(host, port, timeout=wait)
        connection.auto_open = 0  # never on its own to an address that was not checked
        if parts.scheme == "https":
            try:
                plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            except OSError:
                plain.close()
                raise
        connection.sock = plain
        return connection

    def _read(self, answer: http.client.HTTPResponse, url: str, until: float) -> bytes:
        if answer.getheader("Content-Encoding", "identity").lower() != "identity":
            raise PhotoMissing(f"{url} is sent compressed although that was not asked for")
        content = bytearray()
        while chunk := answer.read1(CHUNK):
            content += chunk
            if len(content) > self._most_bytes:
                raise PhotoTooManyBytes(
                    f"{url} has more than {self._most_bytes:,} bytes; give a smaller picture"
                )
            if time.monotonic() > until:
                raise PhotoMissing(f"{url} took longer than {self._whole_s:g} s; try again later")
        if answer.length:  # what was announced and never came
            raise PhotoMissing(f"{url} broke off after {len(content):,} bytes; try again")
        return bytes(content)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _connect(addresses: Iterable[str], port: int, wait_s: float) -> socket.socket:
    """Connect to the first address that answers."""
    failed: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=wait_s)
        except OSError as error:
            failed = error
    raise failed or OSError("no address")
