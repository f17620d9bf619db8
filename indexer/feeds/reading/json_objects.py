"""Stream the objects of JSON lines, of an array, or of an object that holds an array."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from indexer.errors import FeedError
from indexer.feeds.reading.delimited import plain_word
from indexer.feeds.reading.text_files import read_chunks, read_lines

MAX_OBJECT = 32_000_000  # characters: a product with all its variants, many times over
# Numbers stay as they are written: `29.90` is a price, and an id of 5,000 digits is no bomb.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
# Up to the array: `[`, or the key of an object that holds it, as Shopify's products.json.
_OPENING = re.compile(r'\ufeff?\s*(?:\[|\{\s*"(?:products|items|data|results|entries)"\s*:\s*\[)')
_LOOKED_AT = 5  # lines: one of them is whole where each line is an object
_BETWEEN = re.compile(r"[\s,]*")
Parsed = tuple[int, dict[str, Any] | str]


def is_json(start: str) -> bool:
    """Tell whether a text begins as JSON objects do."""
    return re.match(r'\s*(?:\[\s*)?\{\s*(?:"|\})', start) is not None


def read_objects(source: Path) -> Iterator[Parsed]:
    """Yield the number of each object, its line or its place, and the object.

    Other values yield a string that says so. Raises FeedError if an array is broken: the rest
    cannot be parsed.
    """
    for chunk in read_chunks(source):
        if not chunk.strip("\ufeff \t\r\n"):
            continue
        lines = chunk.lstrip("\ufeff \t\r\n").split("\n", _LOOKED_AT)[:_LOOKED_AT]
        has_rows = any(isinstance(_parse(line), dict) for line in lines)
        return (yield from (_lines if has_rows and not _OPENING.match(chunk) else _array)(source))
    raise FeedError(f"the feed {source} is empty; expected JSON objects")


def _parse(text: str) -> Any:
    """Return the value of a text, or a string that says what is wrong with it."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error or 'too deep'}"[:200]


def _lines(source: Path) -> Iterator[Parsed]:
    for number, line in enumerate(read_lines(source), start=1):
        if line.strip("\ufeff \t\r\n"):
            parsed = _parse(line.strip("\ufeff \t\r\n"))
            is_good = isinstance(parsed, dict | str)
            yield number, parsed if is_good else f"{_shown(parsed)} is no object; expected {{...}}"


def _array(source: Path) -> Iterator[Parsed]:
    """Read an array, or objects one after the other, a buffer at a time."""
    buffer, number, wanted, is_open = "", 0, 0, False
    for chunk in chain(read_chunks(source), ("",)):
        buffer += chunk
        if chunk and len(buffer) < wanted:
            continue  # a long object is not parsed again for each chunk of it
        if not is_open:
            opening = _OPENING.match(buffer)
            buffer = buffer[opening.end() :] if opening else buffer.lstrip("\ufeff")
            is_open = True
        at, is_whole = 0, True
        while is_whole:
            at = _BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]  # matches always
            if buffer[at : at + 1] == "]":
                return  # keys after the array hold counts or the exporter
            value, end = _parse_next(buffer, at)
            if end < 0:
                raise _broken(source, number, value)
            is_whole = end > 0
            if is_whole:
                number, at = number + 1, end
                is_good = isinstance(value, dict)
                yield (
                    number,
                    value if is_good else f"{_shown(value)} is no object; expected {{...}}",
                )
        buffer = buffer[at:]
        wanted = 2 * len(buffer)
    if buffer.strip():
        raise _broken(source, number, "the file ends within an object")


def _parse_next(buffer: str, at: int) -> tuple[Any, int]:
    """Return the next value and its end; 0 if more text is needed, -1 if it is invalid."""
    try:
        return _DECODER.raw_decode(buffer, at)
    except RecursionError:
        return "an object is too deep", -1
    except json.JSONDecodeError as error:
        # Cut off by the buffer's end, only a string's error lies far from there: at its beginning.
        is_cut = error.pos > len(buffer) - 100 or error.msg.startswith("Unterminated string")
        return str(error), 0 if is_cut and len(buffer) - at <= MAX_OBJECT else -1


def _broken(source: Path, number: int, what: str) -> FeedError:
    return FeedError(
        f"the JSON of {source} is broken after object {number}, {what}; those above were read"
    )


def _shown(value: object) -> str:
    return repr(value)[:60]


def flatten(value: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return the cells of an object: `{"a": {"b": [1, 2]}}` is `a.b` with `1, 2`.

    Of a list of objects, such as pictures, the address of each counts, else its JSON.
    """
    cells: dict[str, str] = {}
    for key, each in value.items():
        word = before + plain_word(str(key))
        if isinstance(each, Mapping):
            cells |= {word: address} if (address := _address(each)) else {}
            cells |= flatten(each, f"{word}.")
        else:
            cells[word] = _text(each)
    return cells


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, Mapping):
        return _address(value) or json.dumps(value, ensure_ascii=False, default=str)
    return str(value).strip()


def _address(value: Mapping[str, Any]) -> str:
    found = (value.get(word) for word in ("src", "url", "href", "link"))
    return next((each for each in found if isinstance(each, str)), "")
