"""Write and check the SHA-256 of each file of a folder, in a `SHA256SUMS` beside them.

The file has the format of `sha256sum`. Markdown files are not listed, so a model card can be
corrected without changing the model's checksums.
"""

import hashlib
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from indexer.errors import ModelError

SUMS = "SHA256SUMS"
PIECE_BYTES = 1 << 20  # read at a time: weights need not fit in memory
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def write_sums(folder: Path) -> dict[str, str]:
    """Write a folder's `SHA256SUMS`; returns the hash of each file by its path in the folder."""
    sums = {name: _sha256(stream) for name, stream in _files(folder)}
    lines = [f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items())]
    (folder / SUMS).write_text("".join(lines), "utf-8", newline="\n")
    return sums


def read_sums(folder: Path) -> dict[str, str]:
    """Return the hashes that a folder's `SHA256SUMS` lists; none when there is no such file."""
    try:
        return _parse((folder / SUMS).read_text("utf-8"), folder)
    except FileNotFoundError:
        return {}


def check_sums(path: Path) -> list[str]:
    """Verify a folder's files, or those in a tar; returns a line for each that differs.

    Raises ModelError when there is nothing to compare with.
    """
    if path.is_dir():
        listed = read_sums(path)
        actual = {name: _sha256(stream) for name, stream in _files(path)}
    elif path.is_file():
        listed, actual = _read_tar(path)
    else:
        raise ModelError(f"no folder or tar {path}; name a model's folder, or an exported bundle")
    if not listed:
        raise ModelError(
            f"{path} has no {SUMS} to check against; name a folder or tar that `lapel models "
            "export` or `lapel models pull` wrote"
        )
    return list(_differences(listed, actual))


def _differences(listed: Mapping[str, str], actual: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(listed.keys() | actual.keys()):
        if name not in actual:
            yield f"{name} is missing"
        elif name not in listed:
            yield f"{name} is not listed in {SUMS}"
        elif listed[name] != actual[name]:
            yield f"{name} differs: sha256 {actual[name]}, expected {listed[name]}"


def _is_listed(name: str) -> bool:
    return name != SUMS and not name.endswith(".md")


def _files(folder: Path) -> Iterator[tuple[str, IO[bytes]]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and _is_listed(name):
            with path.open("rb") as stream:
                yield name, stream


def _read_tar(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the hashes that a tar's `SHA256SUMS` lists, and the actual ones of its files."""
    listed: dict[str, str] = {}
    actual: dict[str, str] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                name = "/".join(Path(member.name).parts[1:])  # all lies in one folder
                if stream is None:
                    continue
                if name == SUMS:
                    listed = _parse(stream.read().decode("utf-8"), path)
                elif _is_listed(name):
                    actual[name] = _sha256(stream)
    except (tarfile.TarError, EOFError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not a whole tar: {error}; export it again") from error
    return listed, actual


def _parse(text: str, place: Path) -> dict[str, str]:
    sums = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ModelError(
                f"{SUMS} in {place} has a line {line!r}; expected a SHA-256, two spaces, a name"
            )
        sums[match[2]] = match[1]
    return sums


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()
