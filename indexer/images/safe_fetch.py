"""A web address in, the bytes of a picture out; only public servers are asked.

An address that others send may point at this machine or its neighbours (server-side request
forgery, OWASP). So a host's addresses are looked up once, each is checked, and the connection goes
to the very address that was checked; each redirect goes through the same again. What a server says
to know a version by (RFC 9110: ETag, Last-Modified) is given back to it the next time.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from indexer.errors import PhotoMissing, PhotoTooManyBytes
from indexer.images.photo import MAX_BYTES

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
# The server is busy or being restarted: the same request may well be answered a little later.
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_CHECK = "check the address, or send the picture itself"
_HEADERS = {"User-Agent": "lapel", "Accept": "image/*", "Accept-Encoding": "identity"}


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
class Version:
    """By what a server knows a version of a picture; both empty where it says nothing."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered: `content` is None when the picture is the known version still."""

    content: bytes | None
    version: Version


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
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Fetcher:
    """Fetches pictures. `allow` says which addresses may be asked, `ports` which ports (None: any).

    `inside` are hosts trusted wherever they lie, at any port; `look_up` turns a host into its
    addresses.
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
        self._allow = allow
        self._ports = ports
        self._look_up = look_up
        self._most_bytes = most_bytes
        self._whole_s = whole_s
        self._may_name_hosts = inside is not None
        self._inside = frozenset(host.lower() for host in inside or ())

    def fetch(self, url: str) -> bytes:
        """Return what is at an address, at most 25 MB.

        Raises FetchRefused, FetchFailed, PhotoMissing, PhotoTooManyBytes.
        """
        fetched = self.fetch_if_changed(url, Version())
        if fetched.content is None:  # 304, though nothing was said to be known
            raise PhotoMissing(f"{url} answers 304; expected a picture (200)")
        return fetched.content

    def fetch_if_changed(self, url: str, known: Version) -> Fetched:
        """Return what is at an address, without content where it is the known version still.

        Raises FetchRefused, FetchFailed, PhotoMissing, PhotoTooManyBytes.
        """
        until = time.monotonic() + self._whole_s
        address = url
        for _ in range(REDIRECTS + 1):
            try:
                answer = self._ask(address, until, known)
            except ValueError as error:
                raise PhotoMissing(f"{url} cannot be fetched ({error}); {_CHECK}") from error
            except (OSError, http.client.HTTPException) as error:
                kind = PhotoMissing if _is_lasting(error) else FetchFailed
                why = error if str(error) else type(error).__name__
                raise kind(f"{url} cannot be fetched ({why}); {_CHECK}") from error
            if isinstance(answer, Fetched):
                return answer
            address = answer
        raise PhotoMissing(f"{url} leads on more than {REDIRECTS} times; send the last address")

    def _ask(self, url: str, until: float, known: Version) -> str | Fetched:
        """Return where an address leads on to, or what is there."""
        parts = self._checked(url)
        connection = self._connection(parts, until)
        try:
            # What a person pastes has blanks and letters beyond ASCII; what is escaped stays so.
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
            query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
            connection.request("GET", path + query, headers=_headers(known))
            with connection.getresponse() as answer:  # left half read, it would keep the socket
                return self._answered(answer, url, until, known)
        finally:
            connection.close()

    def _answered(
        self, answer: http.client.HTTPResponse, url: str, until: float, known: Version
    ) -> str | Fetched:
        if answer.status in _MOVED and (location := answer.getheader("Location")):
            return urljoin(url, location)
        if answer.status == 304:
            return Fetched(None, known)
        if answer.status in _BUSY:
            wait_s = _asked_wait_s(answer.getheader("Retry-After", ""))
            raise FetchFailed(f"{url} answers {answer.status}; try again later", wait_s)
        if answer.status != 200:
            raise PhotoMissing(f"{url} answers {answer.status}; expected a picture (200)")
        version = Version(answer.getheader("ETag", ""), answer.getheader("Last-Modified", ""))
        return Fetched(self._read(answer, url, until), version)

    def _checked(self, url: str) -> SplitResult:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FetchRefused(f"{url} is no http or https address; give one, or send the picture")
        if parts.username or parts.password:
            raise FetchRefused(f"{parts.hostname}: an address with a name or password in it")
        is_inside_host = parts.hostname in self._inside
        if self._ports is not None and not is_inside_host and _port(parts) not in self._ports:
            allowed = ", ".join(map(str, sorted(self._ports)))
            raise FetchRefused(
                f"{url} names port {_port(parts)}; pictures are fetched at {allowed}"
            )
        return parts

    def _connection(self, parts: SplitResult, until: float) -> http.client.HTTPConnection:
        """Return a connection to an address of the host that was checked."""
        host, port = parts.hostname or "", _port(parts)
        found = list(self._look_up(host, port))
        allow = is_inside if host in self._inside else self._allow
        # One address that may not be asked is enough: the others could be a lure.
        bad = [a for a in found if not allow(ipaddress.ip_address(a.partition("%")[0]))]
        if bad or not found:
            or_name = (
                ", or if it is your own shop's, name the host in LAPEL_PRIVATE_PICTURE_HOSTS"
                if self._may_name_hosts  # never of what a client of the server asks for
                else ""
            )
            raise FetchRefused(
                f"{host} is not on the public internet; pictures are fetched from public "
                f"addresses only: send the picture itself{or_name}"
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
                raise FetchFailed(f"{url} took longer than {self._whole_s:g} s; try again later")
        if answer.length:  # what was announced and never came
            raise FetchFailed(f"{url} broke off after {len(content):,} bytes; try again")
        return bytes(content)


def _headers(known: Version) -> dict[str, str]:
    headers = dict(_HEADERS)
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _asked_wait_s(text: str) -> float | None:
    """Return the seconds that a Retry-After names, as a number or as a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _is_lasting(error: Exception) -> bool:
    """Tell whether asking again would be no use: no such host, a certificate that is not its."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, ssl.SSLCertVerificationError | UnicodeError)


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
