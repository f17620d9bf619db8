"""Read the rows of a CSV or TSV file as cells by header word; a bad row costs only itself."""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from indexer.errors import FeedError
from indexer.feeds.reading.text_files import FeedStart, read_lines

# Far above any real description; Python's default of 131,072 is not.
MAX_CELL = 10_000_000
csv.field_size_limit(MAX_CELL)
MAX_COLUMNS = 10_000  # as many as a spreadsheet's; a shop has some hundred
DELIMITERS = "\t,;|"

Cells = Mapping[str, str]
Row = tuple[int, dict[str, str] | str]


def header_of(head: FeedStart) -> list[str]:
    """Return the words of the first line, plain; empty where it is no header."""
    line = head.line
    if not line or line[0] in "<{[" or "\0" in line:
        return []
    try:
        words = next(csv.reader([line], delimiter=delimiter_of(line), strict=True))
    except (csv.Error, StopIteration):
        return []
    return [plain_word(word) for word in words]


def delimiter_of(line: str) -> str:
    """Return the delimiter of a header: the most frequent candidate, a comma if there is none."""
    outside = "".join(line.split('"')[::2])
    best = max(DELIMITERS, key=outside.count)
    return best if best in outside else ","


def plain_word(word: str) -> str:
    """Return a header word in lower case, without `g:`, spaces as underscores."""
    return "_".join(word.strip().strip("\"'").lower().removeprefix("g:").split())


def read_rows(
    source: Path,
    needed: tuple[str, ...] = (),
    check: Callable[[Sequence[str]], None] = lambda header: None,
) -> Iterator[Row]:
    """Yield each row's first line number and its cells by header word, as `plain_word` writes it.

    A bad row yields a string that says what is wrong. A word that stands twice in the header has
    both cells, joined by a comma. Raises FeedError for a header that lacks a needed word, or an
    empty feed; `check` may raise it too.
    """
    lines = _Lines(read_lines(source))
    first = lines.peek()
    if first is None:
        raise FeedError(f"the feed {source} is empty; expected a header and rows")
    delimiter = delimiter_of(first.lstrip("\ufeff"))
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [plain_word(word.lstrip("\ufeff")) for word in next(rows)]
    except (csv.Error, StopIteration) as error:
        raise FeedError(f"the header of {source} cannot be parsed: {error}") from error
    _check_header(header, needed, source)
    check(header)
    while True:
        lines.mark()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            # A quote that never closes swallows the rows below: they are read again.
            line = lines.give_back_all_but_first()
            cells = line.rstrip("\r\n").split("\t")
            # Many TSV are written without any quoting: there `"Best" dress` is a title.
            is_plain = len(cells) == len(header) and max(map(len, cells)) <= MAX_CELL
            if delimiter != "\t" or not is_plain:
                yield lines.marked, f"the row cannot be parsed: {error}"
                continue
        if any(cell.strip() for cell in cells):
            yield lines.marked, _by_word(header, cells)


def _check_header(header: Sequence[str], needed: Sequence[str], source: Path) -> None:
    if len(header) > MAX_COLUMNS:
        raise FeedError(f"the header of {source} has {len(header)} columns; at most {MAX_COLUMNS}")
    if lacking := [word for word in needed if word not in header]:
        raise FeedError(
            f"the header of {source} has no {' and no '.join(lacking)}; "
            f"it has {', '.join(header)[:300]}"
        )


def _by_word(header: list[str], cells: list[str]) -> dict[str, str] | str:
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        return f"{len(cells)} cells, but the header names {len(header)}"
    by_word: dict[str, str] = {}
    for word, cell in zip(header, cells, strict=False):
        said = cell.strip()
        before = by_word.get(word)
        by_word[word] = f"{before},{said}" if before and said else before or said
    return by_word


class _Lines:
    """Lines that can be given back; knows the number of each."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._back: deque[str] = deque()
        self._since_mark: list[str] = []
        self._number = 0
        self.marked = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self._number += 1
        self._since_mark.append(line)
        return line

    def peek(self) -> str | None:
        """Return the first line that is not blank, without taking it."""
        for line in self._lines:
            if line.strip("\ufeff \r\n"):
                self._back.append(line)
                return line
            self._number += 1
        return None

    def mark(self) -> None:
        """A row begins here."""
        self._since_mark.clear()
        self.marked = self._number + 1

    def give_back_all_but_first(self) -> str:
        """Put back the lines taken since the row began, its first one aside; returns that one."""
        first, *others = self._since_mark
        self._back.extendleft(reversed(others))
        self._number -= len(others)
        return first
