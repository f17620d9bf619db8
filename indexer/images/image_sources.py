"""Resolve and read the pictures of a feed: paths, `file:` addresses, the web, cloud stores.

A picture that did not change is not read again: files are known by size and times, web pictures by
their validators (ETag, Last-Modified), a store's by its version mark.
"""

import os
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from indexer.errors import LapelError, PhotoError, PhotoMissing
from indexer.images.cloud_source import CloudSource
from indexer.images.fetch_cache import CachedImage, FetchCache
from indexer.images.photo import hash_bytes, read_bytes
from indexer.images.safe_fetch import FetchFailed, Validators
from indexer.images.web_source import WebSource
from indexer.settings import Settings

AT_ONCE = 16  # requests under way; how many of them to one host is a setting
# A file changed twice within a clock's step keeps its times: younger ones are read again
# ("racy git" in git's documentation is about the same).
SETTLED_NS = 2_000_000_000


class PhotoChanged(PhotoMissing):
    """Another picture is at an address than the one that was found there."""


class ImageSources:
    """Finds and reads pictures. To be closed, or used in a `with`.

    `images` is the folder under which paths lie, and that none may leave; without it they are
    relative to `feed_folder`. One object asks for an address once; a new one asks again.
    """

    def __init__(
        self,
        settings: Settings,
        feed_folder: Path,
        images: Path | None = None,
        web: WebSource | None = None,
    ) -> None:
        self._feed_folder = feed_folder
        self._images = images
        self._web = web or WebSource.of(settings)
        self._cloud = CloudSource()
        self.cache = FetchCache(settings.home / "pictures", settings.picture_cache_bytes)
        self._pool = ThreadPoolExecutor(AT_ONCE, "pictures")
        self._ahead: dict[str, Future[str]] = {}
        self._since = time.time()

    def __enter__(self) -> "ImageSources":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop asking for pictures."""
        self._pool.shutdown(cancel_futures=True)
        self._web.close()
        self.cache.close()

    def resolve(self, address: str) -> str:
        """Return an address as it is stored: an absolute path, or the web address.

        Raises PhotoMissing.
        """
        if address.lower().startswith("file:"):
            return str(self._under_images(_path_of(address), address))
        if "://" in address:
            return address
        if self._images is None:
            return str((self._feed_folder / address).absolute())
        return str(self._under_images(f"{self._images.absolute()}/{address}", address))

    def fetch_ahead(self, addresses: Iterable[str]) -> None:
        """Begin to ask for pictures that are not on this machine's disks."""
        for address in addresses:
            try:
                resolved = self.resolve(address)
            except PhotoError:
                continue
            if is_remote(resolved) and resolved not in self._ahead:
                self._ahead[resolved] = self._pool.submit(self._remote_hash, resolved)

    def hash_of(self, resolved: str) -> tuple[str, PhotoError | None]:
        """Return the hash of the content at a resolved address.

        Where it cannot be asked for now, what was there the last time, and why. Raises PhotoError.
        """
        if not is_remote(resolved):
            return self._file_hash(Path(resolved)), None
        ahead = self._ahead.pop(resolved, None)
        try:
            return (ahead.result() if ahead else self._remote_hash(resolved)), None
        except FetchFailed as error:
            if cached := self.cache.find(resolved):
                return cached.sha256, error  # a host that is down changed no picture
            raise

    def read(self, resolved: str, sha256: str) -> bytes:
        """Return the content of that hash. Raises PhotoError, where it is another one now too."""
        if is_remote(resolved):
            cached = self.cache.read(sha256)
            content = self._fetch(resolved) if cached is None else cached
        else:
            content = read_bytes(Path(resolved))
        if hash_bytes(content) != sha256:
            raise PhotoChanged(f"{resolved} holds another picture than it did; index the feed anew")
        return content

    def remember_broken(self, sha256: str, error: LapelError) -> None:
        """Note that a content cannot be decoded, and why: it is not tried again."""
        self.cache.remember_broken(sha256, error)

    def trim(self) -> None:
        """Keep the fetched pictures within their bound; once a batch."""
        self.cache.trim()

    def _under_images(self, path: str, address: str) -> Path:
        if self._images is None:
            return Path(os.path.normpath(path))
        # By the words of the path: a picture may well be a link into a media store.
        root = os.path.normpath(self._images.absolute())
        path = os.path.normpath(path)
        if os.path.commonpath([root, path]) != root:
            raise PhotoMissing(f"{address} leads out of the folder {self._images}")
        return Path(path)

    def _file_hash(self, path: Path) -> str:
        try:
            status = path.stat()
        except (OSError, ValueError):
            return hash_bytes(read_bytes(path))  # says what is the matter
        stamp = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
        cached = self.cache.find(str(path))
        if cached is not None and cached.stamp == stamp:
            return cached.sha256
        sha256 = hash_bytes(read_bytes(path))
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS:
            self.cache.remember(str(path), stamp, sha256)
        return sha256

    def _remote_hash(self, address: str) -> str:
        cached = self.cache.find(address)
        if cached is not None and cached.checked_at >= self._since:
            return cached.sha256
        if _is_web(address):
            return self._web_hash(address, cached)
        stamp = self._cloud.stamp(address)
        if cached is not None and stamp and cached.stamp == stamp:
            self.cache.remember(address, stamp, cached.sha256)
            return cached.sha256
        return self._keep(address, stamp, self._cloud.read(address))

    def _web_hash(self, address: str, cached: CachedImage | None) -> str:
        etag, _, date = cached.stamp.partition("\n") if cached else ("", "", "")
        fetched = self._web.fetch(address, Validators(etag, date))
        if fetched.content is None and cached is not None:
            self.cache.remember(address, cached.stamp, cached.sha256)
            return cached.sha256
        stamp = f"{fetched.validators.etag}\n{fetched.validators.last_modified}"
        return self._keep(address, stamp, fetched.content or b"")

    def _keep(self, address: str, stamp: str, content: bytes) -> str:
        sha256 = hash_bytes(content)
        self.cache.keep(sha256, content)
        self.cache.remember(address, stamp, sha256)
        return sha256

    def _fetch(self, address: str) -> bytes:
        """Fetch a picture whose content is not kept any more."""
        if not _is_web(address):
            return self._cloud.read(address)
        return self._web.fetch(address, Validators()).content or b""


def is_remote(resolved: str) -> bool:
    """Tell whether a resolved address is not a path."""
    return "://" in resolved and not resolved.startswith("/")


def _is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def _path_of(address: str) -> str:
    """Return the path of a `file:` address (RFC 8089). Raises PhotoMissing."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise PhotoMissing(f"{address} is no address: {error}") from error
    if parts.netloc not in ("", "localhost"):
        raise PhotoMissing(f"{address} lies on the machine {parts.netloc}; mount it, or use http")
    if not parts.path.startswith("/"):
        raise PhotoMissing(f"{address} is no file: address; expected file:///folder/picture.jpg")
    return unquote(parts.path)
