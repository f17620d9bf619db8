"""Several real processes on one catalogue: readers see each commit, workers share their jobs."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from api.app import create_worker
from indexer.catalogue.catalogue import Catalogue
from indexer.ingest.importer import Importer
from tests.support.small_catalogue import ITEMS, LATE, dots, record_of

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL
ROOT = Path(__file__).parents[3]
WAIT_S = 300  # for processes to start on a busy machine
READ = """
import sys
from indexer.catalogue.catalogue import Catalogue
from indexer.settings import Settings
catalogue = Catalogue.open(Settings())
for line in sys.stdin:
    vectors = catalogue.vectors
    ids = vectors.ids()
    print(sorted(ids.tolist()), round(float(vectors.get(ids).sum()), 2), flush=True)
"""


def variables(catalogue: Catalogue) -> dict[str, str]:
    settings = catalogue.settings
    return os.environ | {
        "LAPEL_HOME": str(settings.home),
        "LAPEL_DATABASE_URL": settings.resolved_database_url,
    }


def test_three_readers_see_each_commit_with_their_next_look(small: Catalogue, drawn: Path) -> None:
    with ExitStack() as stack:
        readers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", READ], cwd=ROOT, env=variables(small), text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )
            )
            for _ in range(3)
        ]  # fmt: skip

        def seen() -> set[str]:
            for reader in readers:  # all look at the same time
                assert reader.stdin is not None
                reader.stdin.write("look\n")
                reader.stdin.flush()
            return {reader.stdout.readline() for reader in readers if reader.stdout}

        def own() -> set[str]:
            ids = small.vectors.ids()
            total = round(float(small.vectors.get(ids).sum()), 2)
            return {f"{sorted(ids.tolist())} {total}\n"}

        assert seen() == own()
        changes: list[Callable[[], object]] = [
            lambda: small.delete([ITEMS[0].item_id]),
            lambda: Importer(small, dots(1), drawn, drawn).run([record_of(LATE)]),
            small.rebuild,
            lambda: small.delete([item.item_id for item in ITEMS[1:9]]),
            lambda: Importer(small, dots(1), drawn, drawn).run(map(record_of, ITEMS[:4])),
        ]
        for change in changes:
            before = own()
            change()
            assert seen() == own()
            assert change == small.rebuild or own() != before
        for reader in readers:
            assert reader.stdin is not None
            reader.stdin.close()


@pytest.fixture
def address(small: Catalogue) -> Iterator[str]:
    """A server of two worker processes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.support.worker_app", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=variables(small)) as server:
        try:
            until(lambda: len(workers_of(server.pid)) == 2 and answers(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGTERM)


def workers_of(pid: int) -> list[psutil.Process]:
    # Python's own tracker of shared memory is a child too.
    every = psutil.Process(pid).children()
    return [each for each in every if "spawn_main" in " ".join(each.cmdline())]


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def asked_by_all(address: str, path: str) -> Iterator[httpx.Response]:
    """Ask over new connections until two workers must have answered: chance gives either."""
    for _ in range(20):
        yield httpx.get(address + path)


def test_workers_tell_of_one_anothers_imports_and_count_together(
    small: Catalogue, address: str, drawn: Path
) -> None:
    folder = small.settings.home / "import" / "more"
    folder.mkdir(parents=True)
    picture = record_of(LATE).photos[0]
    (folder / "late.jpg").write_bytes((drawn / picture).read_bytes())
    sent = httpx.post(f"{address}/v1/catalogues/default/import", json={"source": "more"})
    assert sent.status_code == 202, sent.text
    job = sent.headers["location"]
    until(lambda: {a.json().get("status") for a in asked_by_all(address, job)} == {"done"})
    assert {a.json()["counts"]["added"] for a in asked_by_all(address, job)} == {1}
    similar = f"/v1/catalogues/default/items/{ITEMS[0].item_id}/similar"
    for answer in asked_by_all(address, similar):
        assert answer.json()["garments"][0]["results"]
    said = httpx.get(f"{address}/metrics").text
    route = 'route="/v1/catalogues/{catalogue}/items/{item_id:path}/similar",status="200"'
    assert re.search(rf'lapel_requests_total{{method="GET",{re.escape(route)}}} 20\.0', said)
    assert "lapel_queue_length 0.0" in said


def test_a_worker_is_the_application_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPEL_RATE_PER_MINUTE", "7")
    assert create_worker().state.rate._per_s == pytest.approx(7 / 60)
