"""Reads hostile pictures in this process, one line of JSON for each: what came of it and its cost.

Started by the watchdog, and never in the tests' own process: a picture over its processor time is
ended by the system in the middle of a decoder, which no exception could do.
"""

import json
import resource
import signal
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from indexer.errors import PhotoError
from indexer.images.photo import read_photo
from tests.hostile.corpus import hostile_files
from tests.hostile.file import HostileFile
from tests.hostile.mutations import mutated_files

CPU_S = 5.0  # of all threads of one picture
# Address space beyond what the libraries took. A picture of 50 megapixels has 150 MB as an array,
# and 200 MB in each of Pillow's copies on the way there, of which up to four live at once.
MEMORY_BYTES = 1_500_000_000


def main() -> None:
    """Read the corpus, or as many mutations as are said, from the given number on."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    files: Iterable[HostileFile]
    files = mutated_files(first, count) if count else islice(hostile_files(), first, None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number, file in enumerate(files, start=first):
        content = file.make()
        print(json.dumps({"number": number, "name": file.name}), flush=True)
        print(json.dumps(_read(content, file) | {"expected": file.outcome}), flush=True)


def _read(content: bytes, file: HostileFile) -> dict[str, Any]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _memory("VmRSS")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + MEMORY_BYTES, hard))
    begin = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    detail = ""
    try:
        read_photo(content, file.name)
        outcome = "photo"
    except PhotoError as error:
        outcome, detail = type(error).__name__, str(error)
    except BaseException as error:
        outcome, detail = f"escaped: {type(error).__name__}", str(error)
    signal.setitimer(signal.ITIMER_PROF, 0)
    cpu_s = time.process_time() - begin
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    peak = _memory("VmHWM") - before
    return {"outcome": outcome, "detail": detail, "cpu_s": cpu_s, "peak_bytes": peak}


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name} in /proc/self/status")


if __name__ == "__main__":
    main()
