"""A published file's name in, the file in a folder out; without a network, an error that says so.

One try at each file, a time limit on silence, no telemetry; HF_HUB_OFFLINE and YOLO_OFFLINE hold.
"""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.errors import ModelError

SILENCE_S = 20  # without one byte: a slow network is waited for, a dead one is not
ELSEWHERE = (
    "pull it where there is a network, and bring it here by `lapel models export` and "
    "`lapel models pull local-dir:FOLDER`"
)


@contextmanager
def hub_network() -> Iterator[None]:
    """Let the hub's client use the network if there is one, else only what it brought before.

    It would otherwise ask five times for each file of a server it cannot reach.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def hub_file(repository: str, name: str, folder: Path) -> Path | None:
    """Copy a file of a hub's repository into a folder; None when the repository has no such file.

    To be used within `hub_network`. Raises ModelError.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        found = hf_hub_download(repository, name)
    except LocalEntryNotFoundError as error:
        if _has_any(repository):
            return None  # brought before without this file: it has none, or it was not wanted
        why = "HF_HUB_OFFLINE is set" if _is_set("HF_HUB_OFFLINE") else "there is no network"
        raise ModelError(
            f"hf-hub:{repository} is not here and cannot be brought: {why} "
            f"({constants.ENDPOINT} was not asked or does not answer); {ELSEWHERE}"
        ) from error
    except EntryNotFoundError:
        return None
    except Exception as error:  # the client's own errors, those of its HTTP library, the disk
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"hf-hub:{repository} cannot be brought: {reason}") from error
    target = folder / name
    shutil.copyfile(found, target)
    return target


def fetch_file(url: str, target: Path) -> None:
    """Download a file, whole or not at all. Raises ModelError."""
    if _is_set("YOLO_OFFLINE"):
        raise ModelError(
            f"YOLO_OFFLINE is set, so {url} was not asked for; unset it, or {ELSEWHERE}"
        )
    try:
        with _open(url) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
            expected = int(source.headers.get("Content-Length") or target.stat().st_size)
    except urllib.error.HTTPError as error:
        raise ModelError(f"{url} cannot be brought: the server answers {error}") from error
    except OSError as error:
        raise ModelError(
            f"{url} cannot be brought: there is no network ({error}); {ELSEWHERE}"
        ) from error
    if target.stat().st_size != expected:
        raise ModelError(
            f"{url} broke off at {target.stat().st_size} of {expected} bytes; pull it again"
        )


def _answers(url: str) -> bool:
    try:
        _open(url).close()
    except urllib.error.HTTPError:
        return True  # it answers, though not with a page
    except OSError:
        return False
    return True


def _open(url: str) -> Any:
    if not url.startswith(("https://", "http://")):
        raise ModelError(f"{url} is no web address; expected https://...")
    return urllib.request.urlopen(url, timeout=SILENCE_S)  # noqa: S310 - checked above


def _has_any(repository: str) -> bool:
    from huggingface_hub import constants

    folder = "models--" + repository.replace("/", "--")
    return any((Path(constants.HF_HUB_CACHE) / folder / "snapshots").glob("*/*"))


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "on", "true", "yes")
