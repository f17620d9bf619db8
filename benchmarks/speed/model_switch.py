"""Re-embed a served catalogue with two sets of models in turn, while something else is measured.

The models are the bundled ones, and a copy of the bundled encoder without its attribute heads:
another fingerprint, and vectors of another length.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from benchmarks.speed.lapel_process import LAPEL
from indexer.settings import WEIGHTS

STOP_S = 60  # for a command that is told to end: it keeps what it has done


@contextmanager
def switching(home: Path | None, catalogue: str) -> Iterator[list[str]]:
    """Run `lapel reembed` again and again inside; yields lines of what it did. No home: nothing."""
    lines: list[str] = []
    if home is None:
        yield lines
        return
    leaving = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copytree(WEIGHTS / "encoder", Path(folder) / "encoder")
        encoders = (f"local-dir:{copied}", "")
        thread = threading.Thread(
            target=_switch, args=(home, catalogue, encoders, leaving, lines), daemon=True
        )
        thread.start()
        try:
            yield lines
        finally:
            leaving.set()
            thread.join()
            if len(lines) % 2:  # back to the models that the server began with
                lines.append(_reembed(home, catalogue, "", threading.Event()))


def _switch(
    home: Path,
    catalogue: str,
    encoders: tuple[str, ...],
    leaving: threading.Event,
    lines: list[str],
) -> None:
    for encoder in cycle(encoders):
        line = _reembed(home, catalogue, encoder, leaving)
        if leaving.is_set():
            return
        lines.append(line)


def _reembed(home: Path, catalogue: str, encoder: str, leaving: threading.Event) -> str:
    """Make the catalogue anew by the models of an encoder; returns a line of how long it took."""
    start = time.perf_counter()
    command = [*LAPEL, "--home", str(home), "--catalogue", catalogue]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "reembed"],
        env=os.environ | {"LAPEL_ENCODER": encoder},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        while running.poll() is None:
            if leaving.wait(0.2):
                running.terminate()
                running.wait(STOP_S)
        messages = running.stderr.read() if running.stderr else ""
    name = "a copy of the encoder, no heads" if encoder else "the bundled models"
    if running.returncode and not leaving.is_set():
        raise RuntimeError(f"lapel reembed ended with {running.returncode}: {messages[-2000:]}")
    return f"switched to {name} after {time.perf_counter() - start:.1f} s"
