"""Paths that are no ordinary files: pipes, devices, loops of links, names that are no text."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path


def hostile_places(folder: Path) -> Iterator[tuple[str, Path]]:
    """Make them in a folder; yield what each is, and its path."""
    yield "no file", folder / "none.jpg"
    yield "a folder", folder
    yield "below a file", _file(folder / "file.jpg") / "inner.jpg"
    os.mkfifo(folder / "pipe.jpg")
    yield "a pipe that nobody writes to", folder / "pipe.jpg"
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    yield "a link to itself", folder / "loop.jpg"
    (folder / "nowhere.jpg").symlink_to(folder / "gone" / "a.jpg")
    yield "a link to nothing", folder / "nowhere.jpg"
    (folder / "device.jpg").symlink_to("/dev/zero")
    yield "a link to a device", folder / "device.jpg"
    yield "a device", Path("/dev/random")
    yield "a terminal", Path("/dev/tty")
    yield "a file of the system", Path("/proc/self/cmdline")
    yield "memory", Path("/proc/self/mem")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket.jpg"))
    yield "a socket", folder / "socket.jpg"
    yield "a zero in its name", Path("nul\0byte.jpg")
    yield "a name too long", folder / ("x" * 300 + ".jpg")
    yield "a path too long", folder / "/".join(["x" * 200] * 30)
    yield "no text", _file(folder / os.fsdecode(b"\xff\xfe.jpg"))
    yield "control characters", _file(folder / "a\x1b]0;owned\x07\n\rb.jpg")
    yield "right to left", _file(folder / "photo\u202egpj.exe")
    yield "a formula", _file(folder / "=cmd|' C calc'!A0.jpg")
    with _file(folder / "sparse.jpg").open("r+b") as file:
        file.truncate(2**40)
    yield "a terabyte of nothing", folder / "sparse.jpg"


def _file(path: Path) -> Path:
    path.write_bytes(b"no picture")
    return path
