"""Read pictures from cloud stores by addresses such as `s3://bucket/a.jpg`, through fsspec.

Credentials and endpoints come from the environment variables and configuration files of each
store's own tools.
"""

from typing import Any

from indexer.errors import PhotoMissing, PhotoTooManyBytes
from indexer.images.decode_limits import MAX_BYTES
from indexer.images.safe_fetch import FetchFailed

# scheme -> the extra that brings its client. Not all that fsspec knows: a feed must not lead it to
# this machine's files, or past the rules for web addresses. `memory` is fsspec's own, for tests.
SCHEMES = {
    "s3": "s3", "s3a": "s3", "gs": "remote", "gcs": "remote", "abfs": "remote", "abfss": "remote",
    "az": "remote", "memory": "",
}  # fmt: skip
# What stores call that which changes with a content, the most telling first.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_DATES = ("LastModified", "last_modified", "updated", "mtime", "created")


class CloudSource:
    """Reads pictures from cloud stores; threads may share it."""

    def stamp(self, address: str) -> str:
        """Return what changes when the picture does, without reading it; empty where unknown.

        Raises PhotoMissing, PhotoTooManyBytes, FetchFailed.
        """
        facts = self._ask(address, "info")
        if (facts.get("size") or 0) > MAX_BYTES:
            raise PhotoTooManyBytes(
                f"{address} has {facts['size']:,} bytes, at most {MAX_BYTES:,} are read; "
                "store a smaller picture"
            )
        version = next((str(facts[name]) for name in _VERSIONS if facts.get(name)), "")
        version = version or next((str(facts[name]) for name in _DATES if facts.get(name)), "")
        return f"{facts.get('size')}:{version}" if version else ""

    def read(self, address: str) -> bytes:
        """Return the picture's content, at most 25 MB. Raises PhotoMissing, FetchFailed."""
        return bytes(self._ask(address, "cat_file", start=0, end=MAX_BYTES + 1))

    def _ask(self, address: str, what: str, **options: Any) -> Any:
        scheme, _, path = address.partition("://")
        if scheme.lower() not in SCHEMES or "::" in address:  # fsspec's chains lead anywhere
            raise PhotoMissing(
                f"{address}: pictures are read from paths, file:, http:, https:, "
                f"{', '.join(f'{each}:' for each in SCHEMES if each != 'memory')}"
            )
        try:
            import fsspec  # type: ignore[import-untyped]

            store = fsspec.filesystem(scheme.lower())
            return getattr(store, what)(path, **options)
        except ImportError as error:
            raise PhotoMissing(
                f"{address} needs a client that is not installed ({error}); "
                f"install it with: pip install 'lapel[{SCHEMES[scheme.lower()] or 'remote'}]'"
            ) from error
        except (FileNotFoundError, PermissionError, ValueError, IsADirectoryError) as error:
            raise PhotoMissing(
                f"{address} cannot be read ({type(error).__name__}: {error}); check the address, "
                "and who may read there"
            ) from error
        except Exception as error:  # each store's client has errors of its own
            raise FetchFailed(
                f"{address} cannot be read now ({type(error).__name__}: {error})"
            ) from error
