"""Tokenise texts for CLIP's text towers without importing torch.

The byte-pair encoding of OpenAI's CLIP (Radford et al., Learning transferable visual models from
natural language supervision, 2021; MIT licence) as open_clip's SimpleTokenizer does it, on the
vocabulary in open_clip's package: importing that package takes ten times as long as a search.
"""

import gzip
import html
import re
import string
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ModelError

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
CONTEXT = 77  # open_clip's own default
MERGES = 49152 - 256 - 2  # those of the file that CLIP was trained with
START, END = "<start_of_text>", "<end_of_text>"
_FIRST = f"{START}|{END}|'s|'t|'re|'ve|'m|'ll|'d"
PATTERN = rf"{_FIRST}|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
ASCII_PATTERN = re.compile(rf"{_FIRST}|[a-z]+|[0-9]|[^\sa-z0-9]+", re.IGNORECASE | re.ASCII)
WAYS = ("lower", "whitespace", "canonicalize")  # to clean a text


class Tokenizer:
    """One model's: how long its texts are, and how they are cleaned."""

    def __init__(self, context: int = CONTEXT, clean: str = "lower") -> None:
        self.context = context
        self._clean = clean

    @classmethod
    def of(cls, text_config: Mapping[str, Any]) -> "Tokenizer | None":
        """Return the tokenizer of a model's `text_cfg`; None when it needs one of another kind."""
        options = text_config.get("tokenizer_kwargs") or {}
        clean = options.get("clean", "lower")
        if text_config.get("hf_tokenizer_name") or set(options) - {"clean"} or clean not in WAYS:
            return None
        return cls(int(text_config.get("context_length") or CONTEXT), clean)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return ids (n, context), zero after the end; what is too long is cut."""
        rows = np.zeros((len(texts), self.context), np.int64)
        for row, text in zip(rows, texts, strict=True):
            ids = [_words().start, *self._ids(text)[: self.context - 2], _words().end]
            row[: len(ids)] = ids
        return rows

    def _ids(self, text: str) -> list[int]:
        cleaned = _cleaned(text, self._clean)
        if cleaned.isascii():
            found = ASCII_PATTERN.findall(cleaned)
        else:
            import regex  # type: ignore[import-untyped]

            found = regex.findall(PATTERN, cleaned, regex.IGNORECASE)
        return [id_ for word in found for id_ in _words().ids(word)]


class _Words:
    """The vocabulary: ids of symbols, and which pair of them is merged first."""

    def __init__(self, path: Path) -> None:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            lines = stream.read().split("\n")[1 : MERGES + 1]
        merges = [tuple(line.split()) for line in lines]
        single = list(self._letters.values())
        symbols = [*single, *(f"{each}</w>" for each in single), *map("".join, merges), START, END]
        self._id = dict(zip(symbols, range(len(symbols)), strict=True))
        self._rank = dict(zip(merges, range(len(merges)), strict=True))
        self.start, self.end = self._id[START], self._id[END]

    def ids(self, word: str) -> list[int]:
        """Return the ids of one word."""
        spelt = "".join(self._letters[byte] for byte in word.encode())
        if spelt in (START, END):
            return [self._id[spelt]]
        parts = [*spelt[:-1], f"{spelt[-1]}</w>"]
        while len(parts) > 1:
            best = min(pairwise(parts), key=lambda pair: self._rank.get(pair, MERGES))
            if best not in self._rank:
                break
            parts = _merged(parts, best)
        return [self._id[part] for part in parts]

    @cached_property
    def _letters(self) -> dict[int, str]:
        """Return a letter for each byte: itself where it can be seen, else one from 256 on."""
        seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in seen]
        return {b: chr(b) for b in seen} | {b: chr(256 + i) for i, b in enumerate(others)}


@cache
def _words() -> _Words:
    package = find_spec("open_clip")  # not imported: that takes seconds
    if package is None or package.origin is None:
        raise ModelError("open_clip is not installed; install Lapel again: `pip install lapel`")
    return _Words(Path(package.origin).parent / VOCABULARY)


def _merged(parts: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Return the parts with each occurrence of the pair as one."""
    merged: list[str] = []
    i = 0
    while i < len(parts):
        is_pair = tuple(parts[i : i + 2]) == pair
        merged.append("".join(pair) if is_pair else parts[i])
        i += 2 if is_pair else 1
    return merged


def _cleaned(text: str, how: str) -> str:
    plain = html.unescape(html.unescape(_mended(text))).strip()
    if how == "canonicalize":
        plain = plain.replace("_", " ").translate(str.maketrans("", "", string.punctuation))
    joined = " ".join(plain.split())
    return joined if how == "whitespace" else joined.lower()


def _mended(text: str) -> str:
    if text.isascii() and text.isprintable() and "&" not in text:
        return text  # in which there is nothing to mend, and nothing to import for
    import ftfy

    return str(ftfy.fix_text(text))
