"""The examples of docs/guides/feeds.md are read as they say."""

import re
from pathlib import Path

import pytest

from indexer.feeds import READERS, read_feed
from indexer.feeds.reading.record import ItemRecord
from indexer.feeds.reading.text_files import look_at

TEXT = (Path(__file__).parents[2] / "docs/guides/feeds.md").read_text("utf-8")
EXAMPLES = re.findall(r"```([\w-]+) (\S+)\n(.*?)```", TEXT, re.DOTALL)


def test_each_format_is_described() -> None:
    assert {name for name, _, _ in EXAMPLES} >= set(READERS) - {
        "folder", "parquet", "deepfashion", "deepfashion2",
    }  # fmt: skip
    for name in READERS:
        assert re.search(rf"^### .*\b{name}\b", TEXT, re.MULTILINE), name


@pytest.mark.parametrize(("name", "file", "text"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_an_example_is_recognised_and_read(name: str, file: str, text: str, tmp_path: Path) -> None:
    feed = tmp_path / file
    feed.write_text(text, "utf-8")
    head = look_at(feed)
    assert next(each.name for each in READERS.values() if each.sniff(head)) == name
    records = list(read_feed(feed))
    assert records
    assert all(isinstance(record, ItemRecord) and record.slot for record in records), records
