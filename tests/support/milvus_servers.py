"""Start a Milvus for the tests: milvus-lite, in this process or as a server."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def file_url(folder: Path) -> str:
    """Return the URL of a milvus-lite in a folder; skips where it is not installed."""
    pytest.importorskip("milvus_lite", reason="needs: pip install 'lapel[milvus]' milvus-lite")
    return f"milvus+file://{folder / 'lapel.db'}"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running_milvus(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start milvus-lite as a server over the network, which speaks as a full Milvus does."""
    pytest.importorskip("milvus_lite", reason="needs: pip install 'lapel[milvus]' milvus-lite")
    code = "import sys; from milvus_lite.cmdline import main; sys.exit(main())"
    options = ["--data-dir", str(folder / "server.db"), "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-c", code, "server", *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_until_open(port, server)
        yield server
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_open(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"milvus-lite ended with {server.returncode}")
