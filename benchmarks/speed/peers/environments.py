"""Make a Python environment that has the packages of another program.

Made once under `runs/peers/`, by the ordinary package client; later runs find it there.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from benchmarks.speed.peers.process_timing import ANSWER
from indexer.errors import LapelError

RUNS = Path(__file__).parents[3] / "runs"  # git leaves it out
PEERS = RUNS / "peers"
LOOK_S = 0.5  # between two looks at the memory: more of them take time from what is timed
SAID = 1_500  # characters of the package client's last words: the reason, not the whole log


class PeerUnavailable(LapelError):
    """A peer that cannot be installed or run here."""


def peer_python(
    name: str, packages: Sequence[str], folder: Path = PEERS, last: Sequence[str] = ()
) -> Path:
    """Return the Python of a peer's own virtual environment, made when it is not there yet.

    `packages` are what the package client is given: requirements, or its options such as
    `--no-deps`; `last` are put over them, whatever they ask for. Other packages than last time make
    the environment anew. Takes minutes the first time, and needs a package registry. Raises
    PeerUnavailable.
    """
    place = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = json.dumps({"python": sys.version, "packages": [*packages, *last]}, indent=1)
    ready = place / "made-of.json"  # written last: an environment half made is made again
    with FileLock(folder / f"{name}.lock"):
        if ready.is_file() and ready.read_text("utf-8") == wanted and python.exists():
            return python
        shutil.rmtree(place, ignore_errors=True)
        print(f"making the environment of {name} in {place}", file=sys.stderr, flush=True)
        _call([sys.executable, "-m", "venv", str(place)], name)
        client = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        for some in (packages, ["--no-deps", *last] if last else ()):
            if some:
                _call([*client, "--no-compile", *some], name)
        ready.write_text(wanted, "utf-8")
    return python


def _call(command: Sequence[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-SAID:]
        raise PeerUnavailable(
            f"the environment of {name} cannot be made: {' '.join(command)} ended with "
            f"{done.returncode}; expected a package registry that has these for Python "
            f"{sys.version.split()[0]}; name other versions, or leave {name} out. It said: {said}"
        )


def version_of(python: Path, package: str) -> str:
    """Return the version of a package in a peer's environment. Raises PeerUnavailable."""
    script = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(  # noqa: S603
        [python, "-c", script], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PeerUnavailable(f"{package} is not in {python}: {done.stderr.strip()[-SAID:]}")
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Watched:
    """What a command took: wall seconds, and the most memory of it and its children at once."""

    seconds: float
    peak_bytes: int
    output: str


def watch(command: Sequence[str], env: Mapping[str, str]) -> Watched:
    """Run a command to its end. Raises PeerUnavailable when it fails.

    Memory that processes share is counted once, where the system tells (Linux).
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        start = time.perf_counter()
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env)  # noqa: S603
        peak = 0
        while running.poll() is None:
            peak = max(peak, _memory_of(running.pid))
            time.sleep(LOOK_S)
        seconds = time.perf_counter() - start
        log.seek(0)
        output = log.read()
    if running.returncode:
        raise PeerUnavailable(
            f"{' '.join(command)} ended with {running.returncode}; it said: {output[-SAID:]}"
        )
    return Watched(seconds, peak, output)


def _memory_of(pid: int) -> int:
    """Return the bytes that a process and all its children hold now."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for each in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                full = each.memory_full_info()
                total += getattr(full, "pss", full.rss)
    return total


class Timed:
    """A process that does the same piece of work again each time it is asked.

    It writes a line of JSON when it is ready and one after each piece of work
    (`process_timing.serve`), so that several can take turns on one machine with their models loaded
    once.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start it and wait until it is ready. Raises PeerUnavailable."""
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._command = command
        self._running = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env=env,
        )  # fmt: skip
        self.said = self._ask("")

    def ask(self) -> dict[str, Any]:
        """Let it work once; return what it says of it. Raises PeerUnavailable."""
        return self._ask("\n")

    def close(self) -> None:
        """End it."""
        self._running.kill()
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout, self._log):
            if pipe:
                pipe.close()

    def _ask(self, line: str) -> dict[str, Any]:
        asked, answers = self._running.stdin, self._running.stdout
        if asked and answers:
            with contextlib.suppress(BrokenPipeError):  # it ended: what it said is read below
                asked.write(line)
                asked.flush()
            for answer in answers:
                if answer.startswith(ANSWER):  # libraries write what they like between answers
                    said: dict[str, Any] = json.loads(answer.removeprefix(ANSWER))
                    return said
        self._log.seek(0)
        said_last = self._log.read()[-SAID:]
        self.close()
        raise PeerUnavailable(f"{' '.join(self._command)} ended early; it said: {said_last}")
