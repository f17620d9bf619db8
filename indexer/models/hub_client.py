"""Download published models; without a network, raise an error that says so at once.

HF_HUB_OFFLINE and YOLO_OFFLINE are respected, and telemetry is disabled.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import httpx

from indexer.errors import ModelError

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read by the hub's client when it is imported

SILENCE_S = 20  # without one byte: a slow network is waited for, a dead one is not
ELSEWHERE = (
    "pull it where there is a network, and bring it here by `lapel models export` and "
    "`lapel models pull local-dir:FOLDER`"
)


def copy_from_hub(repository: str, names: Sequence[str], folder: Path) -> list[Path]:
    """Copy those files that a hub's repository has into a folder; returns their paths.

    Without a network they are taken from what the hub's client downloaded before, if the repository
    is among it. Raises ModelError.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        snapshot = Path(
            snapshot_download(
                repository,
                allow_patterns=list(names),
                etag_timeout=SILENCE_S,
                cache_dir=constants.HF_HUB_CACHE,
            )
        )
    except LocalEntryNotFoundError as error:
        why = "HF_HUB_OFFLINE is set" if _is_set("HF_HUB_OFFLINE") else "there is no network"
        raise ModelError(
            f"hf-hub:{repository} is not here and cannot be brought: {why} "
            f"({constants.ENDPOINT} was not asked or does not answer); {ELSEWHERE}"
        ) from error
    except Exception as error:  # the client's own errors, those of its HTTP library, the disk
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"hf-hub:{repository} cannot be brought: {reason}") from error
    files = [snapshot / name for name in names if (snapshot / name).is_file()]
    return [Path(shutil.copyfile(file, folder / file.name)) for file in files]


def fetch_file(url: str, target: Path) -> None:
    """Download a file, whole or not at all. Raises ModelError."""
    if _is_set("YOLO_OFFLINE"):
        raise ModelError(
            f"YOLO_OFFLINE is set, so {url} was not asked for; unset it, or {ELSEWHERE}"
        )
    expected = "all"
    try:
        with (
            httpx.stream("GET", url, follow_redirects=True, timeout=SILENCE_S) as answer,
            target.open("wb") as file,
        ):
            if answer.status_code != 200:
                status = f"{answer.status_code} {answer.reason_phrase}"
                raise ModelError(f"{url} cannot be brought: the server answers {status}")
            expected = answer.headers.get("Content-Length", expected)
            for chunk in answer.iter_raw():
                file.write(chunk)
    except httpx.RemoteProtocolError as error:
        size = target.stat().st_size
        raise ModelError(f"{url} broke off at {size} of {expected} bytes; pull it again") from error
    except httpx.TransportError as error:
        raise ModelError(
            f"{url} cannot be brought: there is no network ({error}); {ELSEWHERE}"
        ) from error
    except OSError as error:
        raise ModelError(f"{url} cannot be stored as {target}: {error}") from error


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "on", "true", "yes")
