"""Runs `reading` in processes that may die; says what each picture came to.

A picture that ends its process is charged with that, and the next one is read in a new process.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
# Against waiting for ever, not a measure of speed: processor time is what is measured.
SILENCE_S = 300


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one picture: "photo", the error's type, or how the process ended."""

    name: str
    outcome: str
    expected: str = ""
    detail: str = ""
    cpu_s: float = 0.0
    peak_bytes: int = 0

    @property
    def is_bad(self) -> bool:
        """Neither a photo nor an error of ours, or not what was expected."""
        is_known = self.outcome == "photo" or self.outcome.startswith("Photo")
        return not is_known or self.expected not in ("", self.outcome)


def read_all(first: int = 0, count: int = 0) -> Iterator[Came]:
    """Read the corpus, or `count` mutations, from a number on.

    A process that dies is started again after the picture that ended it.
    """
    end = first + count if count else 0
    while not end or first < end:
        begun: dict[str, Any] | None = None
        with _started(first, end - first if end else 0) as process:
            assert process.stdout is not None
            for line in _lines(process.stdout):
                said = json.loads(line)
                if "number" in said:
                    begun = said
                elif begun is not None:
                    yield Came(begun["name"], **said)
                    begun = None
            process.kill()
            code = process.wait()
        if begun is None:
            assert code == 0, f"the reading process ended with {code} between two pictures"
            return
        yield Came(begun["name"], _ended(code))
        first = int(begun["number"]) + 1


def _started(first: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.hostile.reading", str(first), str(count)]
    # What libtiff says of each picture is not for the eyes of who runs the tests.
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)


def _lines(pipe: IO[bytes]) -> Iterator[str]:
    """Yield the lines as they come, until the end or a long silence."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(SILENCE_S) and (more := os.read(pipe.fileno(), 65_536)):
            *whole, rest = (rest + more).split(b"\n")
            yield from (line.decode() for line in whole)


def _ended(code: int) -> str:
    if code == -signal.SIGPROF:
        return "hang: over its processor time"
    if code == -signal.SIGKILL:
        return f"hang: nothing for {SILENCE_S} s, or killed for its memory"
    return f"crash: ended with {code}"
