"""A feed is read once, whoever imports it: by command, by sync, and as a job of the server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import indexer.errors
import indexer.feeds
from api.server.import_jobs import ImportJobs
from api.server.job_store import JobStore
from indexer.catalogue.catalogue import Catalogue
from indexer.feeds.reading.record import ItemRecord, Row, RowError
from indexer.ingest.feed_source import FeedSource
from indexer.ingest.feed_spool import FeedSpool
from indexer.ingest.planner import REPEATED, RepeatedRow
from indexer.system.spilled_set import SpilledIdSet
from tests.support.command_line import lapel_in
from tests.support.sample_shop import Shop
from tests.support.small_catalogue import dots


class Readings:
    """How often a feed was opened, and how many of its rows were read."""

    opened = rows = 0


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    counts = Readings()
    read_feed = indexer.feeds.read_feed

    def counted(*arguments: Any) -> Iterator[Row]:
        counts.opened += 1
        for row in read_feed(*arguments):
            counts.rows += 1
            yield row

    monkeypatch.setattr(indexer.feeds, "read_feed", counted)
    return counts


def lapel(home: Path, shop: Shop, *words: str) -> None:
    feed = [words[0], str(shop.feed), "--images", str(shop.folder), *words[1:]]
    done = lapel_in(home, *feed)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "words",
    [["index"], ["sync"], ["sync", "--mode", "mirror"], ["sync", "--mode", "mirror", "--dry-run"]],
)
def test_a_command_reads_its_feed_once(
    shop: Shop, home: Path, readings: Readings, words: list[str]
) -> None:
    lines = shop.feed.read_text("utf-8").splitlines()
    feed = shop.feed.with_name("changed.tsv")
    feed.write_text("\n".join([*lines[:-1], lines[-1].replace(" EUR", "1 EUR")]) + "\n", "utf-8")
    lapel(home, replace(shop, feed=feed), *words)
    assert (readings.opened, readings.rows) == (1, len(lines) - 1)


def test_a_job_reads_its_feed_once(small: Catalogue, tmp_path: Path, readings: Readings) -> None:
    jobs = ImportJobs(tmp_path / "jobs", JobStore(small.engine))
    folder = tmp_path / "more"
    folder.mkdir()
    for path in sorted((tmp_path / "shop" / "images").glob("*.jpg"))[:3]:
        (folder / path.name).write_bytes(path.read_bytes() + b"\0")
    job = jobs.start(small, dots(1), FeedSource(folder, None), "more")
    jobs.join()
    assert (job.status, job.read, job.total) == ("done", 3, 3)
    assert (readings.opened, readings.rows) == (1, 3)


def test_a_spool_gives_back_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.ingest.feed_spool.MEMORY_BYTES", 1_000)
    odd = ItemRecord("\ud800", "g", ("a.jpg",), price=0.1, fields={"b": "\0"}, row=1,
                     xyxy=(1, 2, 3, 4), polygons=((0.5, 1.0, 2.0, 3.0, 4.0, 5.0),))  # fmt: skip
    rows: list[Row] = [odd, RowError(2, "", "cut"), RepeatedRow(3, "x", REPEATED)]
    rows += [ItemRecord(str(i), str(i * 7919), (f"{i}.jpg",), row=i) for i in range(4, 2_000)]
    with FeedSpool() as spool:
        assert not spool
        spool.extend(rows[:700])
        spool.extend(rows[700:])
        assert (len(spool), list(spool), list(spool)) == (len(rows), rows, rows)
        assert odd.content_hash() == next(iter(spool)).content_hash()  # type: ignore[union-attr]


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with FeedSpool() as spool:

        def refuse(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(spool._packed, "write", refuse)
        with pytest.raises(indexer.errors.FeedError, match="TMPDIR"):
            spool.extend([RowError(1, "", "cut")])


def test_a_disk_without_room_for_the_ids_is_named() -> None:
    with SpilledIdSet() as seen:
        # As on a full disk: the file cannot grow by a page.
        seen._rows.execute("PRAGMA max_page_count = 2")
        with pytest.raises(indexer.errors.FeedError, match=r"full.*TMPDIR"):
            seen.add(f"item-{number}" for number in range(10_000))
