"""Send the whole hostile corpus over HTTP, by every way a picture or a feed arrives, and count.

    python -m tests.soak.hostile_http [--only TEXT] [--report docs/explained/reliability.md]

`tests/api/http/test_hostile_pictures.py` sends a sample in every run. Exit 1 where an answer is
the server's failure, or takes more than `MOST_S`.
"""

import argparse
import base64
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi.testclient import TestClient

from indexer.settings import Settings
from tests.api.http.test_hostile_pictures import CATALOGUE, MODELS, assert_answered
from tests.hostile.corpus import hostile_files
from tests.hostile.seeds import SEEDS
from tests.support.http_requests import serving_here

# Of processor time, as in tests/indexer/images/test_decode_limits.py: others may slow all down.
MOST_S = 5.0
BEGIN, END = "<!-- soak-http -->", "<!-- /soak-http -->"
Sent = Callable[[TestClient, str, bytes], Any]


def main() -> int:
    """Send all, print what came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="files whose name has this in it")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    bad: list[str] = []
    files, slowest, start = 0, (0.0, "none"), time.monotonic()
    with _client() as client:
        for file in hostile_files():
            if options.only not in file.name:
                continue
            content = file.make()
            files += 1
            for way, send in WAYS.items():
                begin = time.process_time()
                answer = send(client, file.name, content)
                took = time.process_time() - begin
                slowest = max(slowest, (took, f"{file.name} by {way}"))
                counts[f"{way} {answer.status_code}"] += 1
                if wrong := _wrong(answer, file.name, took):
                    bad.append(f"{way}: {wrong}")
    said = _said(files, counts, bad, slowest, time.monotonic() - start)
    sys.stdout.write("\n".join([*bad, said, ""]))
    if options.report:
        page = options.report.read_text("utf-8")
        block = f"{BEGIN}\n{said}\n{END}"
        page = re.sub(f"{BEGIN}.*{END}", lambda _: block, page, flags=re.DOTALL)
        options.report.write_text(page, "utf-8")
    return 1 if bad else 0


@contextmanager
def _client() -> Iterator[TestClient]:
    with (
        TemporaryDirectory(prefix="lapel-soak-http-") as home,
        serving_here(Settings(home=Path(home)), MODELS, raising=False) as client,
    ):
        _store(client, "first", SEEDS["png"]())  # else there is nothing to search
        yield client


def _detect(client: TestClient, name: str, content: bytes) -> Any:
    return client.post("/v1/detect", files={"photo": (name, content)})


def _store(client: TestClient, name: str, content: bytes) -> Any:
    photo = base64.b64encode(content).decode()
    body = {"items": [{"item_id": name[:200], "photos_base64": [photo]}]}
    return client.post(f"{CATALOGUE}/items", json=body)


def _search(client: TestClient, name: str, content: bytes) -> Any:
    return client.post(f"{CATALOGUE}/search", files={"photo": (name, content)})


def _import(client: TestClient, name: str, content: bytes) -> Any:
    """Send a picture as a feed, and wait until the server is done with it."""
    answer = client.post(f"{CATALOGUE}/import", files={"feed": (f"{name}.csv", content)})
    while answer.status_code == 202:
        job = client.get(answer.headers["location"])
        if job.status_code != 200 or job.json()["status"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    return answer


WAYS: dict[str, Sent] = {
    "store": _store, "detect": _detect, "search": _search, "import": _import,
}  # fmt: skip


def _wrong(answer: Any, name: str, took: float) -> str:
    try:
        assert_answered(answer, name)
    except AssertionError as error:
        return str(error)
    return f"{name} took {took:.1f} s of processor time" if took > MOST_S else ""


def _said(
    files: int, counts: Counter[str], bad: list[str], slowest: tuple[float, str], took_s: float
) -> str:
    answers = ", ".join(f"{way} {count}" for way, count in sorted(counts.items()))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {took_s / 60:.0f} minutes: {files} hostile files over HTTP "
        f"in {len(WAYS)} ways, {counts.total()} requests, {len(bad)} answered wrongly ({answers}); "
        f"slowest {slowest[0]:.1f} s of processor "
        f"time ({slowest[1]})."
    )


if __name__ == "__main__":
    sys.exit(main())
