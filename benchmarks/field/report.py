"""Write a data set's results as Markdown, as JSON, and into a block of a document."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.system.atomic_files import write_whole
from search.evaluation.bootstrap import table, written


@dataclass(frozen=True, slots=True)
class Measure:
    """A value with the ends of its 95 % interval; published ones come without."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, ends: tuple[float, float, float]) -> "Measure":
        """Return what `interval` and `interval_of` give."""
        return cls(*ends)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return written((self.value, self.low, self.high))


Cell = Measure | str | int | None


@dataclass(frozen=True, slots=True)
class Row:
    """One system, class or subset. What others published is `published`."""

    name: str
    cells: tuple[Cell, ...]
    published: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title, one cell for each of the `heads`."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.heads):
                raise ValueError(f"{row.name} has {len(row.cells)} cells, not {len(self.heads)}")

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rows = [
            [_named(row), *("" if cell is None else str(cell) for cell in row.cells)]
            for row in self.rows
        ]
        return table([self.title, *self.heads], rows)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured on one set: `notes` say what differs from the published protocol."""

    name: str
    title: str
    models: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return the report in Markdown, under a heading of the second level."""
        parts = [f"## {self.title}", f"Models: {self.models}."]
        parts += [each.markdown() for each in self.tables]
        parts += ["\n".join(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(parts) + "\n"

    def json(self) -> dict[str, Any]:
        """Return the report as JSON values; a measure is {value, low, high}."""
        return asdict(self)


def write_block(path: Path, report: Report) -> None:
    """Put a report into a document, in place of what this set's report said there before.

    The block stands between two comments that name the set; a document without it gets it at its
    end. Raises ValueError for a document in which the block begins and does not end.
    """
    begin, end = f"<!-- field {report.name} -->", f"<!-- end of field {report.name} -->"
    block = f"{begin}\n{report.markdown()}{end}"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if (begin in text) != (end in text):
        raise ValueError(f"{path} has only one of {begin} and {end}; put the other back")
    if begin in text:
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}\n".lstrip()
    write_whole(path, text.encode())


def published(name: str, values: Sequence[float | None]) -> Row:
    """Return a row of what others published, with None for what they did not."""
    cells = tuple(None if value is None else Measure(value) for value in values)
    return Row(name, cells, published=True)


def _named(row: Row) -> str:
    return f"*{row.name}*" if row.published else row.name
