"""Words of a feed in, values out: prices, availability, rows of a delimited file."""

import codecs
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from indexer.errors import FeedError

_AMOUNT = re.compile(r"\d[\d.,' \u00a0]*")
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR"}
_AVAILABILITY = {
    "in_stock": ("in stock", "in_stock", "instock", "available", "1", "yes", "true"),
    "out_of_stock": ("out of stock", "out_of_stock", "outofstock", "sold out", "0", "no", "false"),
    "preorder": ("preorder", "pre-order", "pre_order"),
    "backorder": ("backorder", "back order", "back_order", "onbackorder"),
}
# Far above any real description; Python's default of 131,072 is not.
csv.field_size_limit(10_000_000)


def parse_price(text: str) -> tuple[float | None, str | None]:
    """Return amount and ISO currency of `29.90 EUR`, `€1.299,00`, `$5`; None for what is not said.

    Raises ValueError when there is text but no amount in it.
    """
    if not text.strip():
        return None, None
    found = _AMOUNT.search(text)
    if not found:
        raise ValueError(f"price {text!r} has no amount; expected one like '29.90 EUR'")
    code = re.search(r"\b[A-Z]{3}\b", text)
    sign = next((iso for mark, iso in _SIGNS.items() if mark in text), None)
    return _amount(found.group()), code.group() if code else sign


def _amount(text: str) -> float:
    digits = re.sub(r"[ '\u00a0]", "", text).rstrip(".,")
    # The last of the two marks is the decimal one, unless exactly three digits follow a lone mark.
    decimal = max(digits.rfind("."), digits.rfind(","))
    if decimal < 0:
        return float(digits)
    whole, mark, rest = digits[:decimal], digits[decimal], digits[decimal + 1 :]
    if len(rest) == 3 and not re.search(r"[.,]", whole.replace(mark, "")):
        return float(re.sub(r"[.,]", "", digits))
    return float(f"{re.sub(r'[.,]', '', whole)}.{rest}")


def parse_availability(text: str) -> str | None:
    """Return in_stock, out_of_stock, preorder, backorder; None when nothing known is said."""
    word = text.strip().lower()
    return next((name for name, words in _AVAILABILITY.items() if word in words), None)


def open_text(source: Path) -> TextIO:
    """Open a text feed: UTF-8 with or without mark, UTF-16 with mark, else Windows-1252."""
    try:
        with source.open("rb") as raw:
            encoding = _encoding(raw)
        return source.open(encoding=encoding, errors="replace", newline="")
    except OSError as error:
        raise FeedError(f"the feed {source} cannot be read: {error}") from error


def _encoding(raw: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = raw.read(1 << 20)
    if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        while chunk:  # to the end: one accent in the last row decides as well as in the first
            decoder.decode(chunk)
            chunk = raw.read(1 << 20)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def read_rows(source: Path, delimiter: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Yield line number and cells by header word; of a bad row a string that says what is wrong."""
    with open_text(source) as text:
        yield from _rows(csv.reader(text, delimiter=delimiter, strict=True), source)


def _rows(reader: Any, source: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    try:
        header = [name.strip() for name in next(reader)]
    except StopIteration:
        raise FeedError(f"the feed {source} is empty; expected a header and rows") from None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, f"the row cannot be parsed: {error}"
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            yield reader.line_num, f"{len(cells)} cells, but the header names {len(header)}"
            continue
        padded = cells + [""] * (len(header) - len(cells))
        yield reader.line_num, {k: v.strip() for k, v in zip(header, padded, strict=True)}
