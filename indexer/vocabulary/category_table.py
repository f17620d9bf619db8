"""Load the table of category words in eight languages.

`category_table.tsv` has a row for each category and language; docs/guides/feeds.md explains its
marks, and how a shop adds its own rows.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from indexer.errors import SettingsError
from indexer.garments import WORN_SLOTS, Slot

TABLE = Path(__file__).with_name("category_table.tsv")
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")  # ties go to the first
# There the noun stands first: a "robe chemise" is a dress, as a "shirt dress" is.
HEAD_FIRST = frozenset(["fr", "es", "it", "pt", "pl"])
OTHER = "-"  # what words for belts, wallets and hangers name: no garment
IGNORED, WITH, HINT = "ignore", "with", "hint"  # rows that name nothing
MAX_TOKENS = 5  # of one name: "camisole, a bretelles fines"; longer is a sentence
_PARTS = re.compile(r"[^\W_]+(?:'s\b)?|[&,:;|()\[\]/>]|-")
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "’": "'", "–": " - ", "—": " - "})
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


class Word(NamedTuple):
    """The category of a word. A weak word counts if no other does: `knit` is also a fabric."""

    category: str
    is_weak: bool = False


@dataclass(slots=True)
class Language:
    """The words of one language, as `parts_of` writes them; `endings` close a compound."""

    words: dict[str, Word] = field(default_factory=dict)
    endings: dict[str, Word] = field(default_factory=dict)
    decoration: set[str] = field(default_factory=set)


@dataclass(slots=True)
class CategoryWords:
    """The whole table. `telling`, `telling_endings`: of which languages a word or an ending is.

    `starts` are the first parts of names of several.
    """

    slots: dict[str, Slot] = field(default_factory=dict)
    languages: dict[str, Language] = field(default_factory=dict)
    english: dict[str, list[str]] = field(default_factory=dict)
    telling: dict[str, set[str]] = field(default_factory=dict)
    telling_endings: dict[str, set[str]] = field(default_factory=dict)
    starts: set[str] = field(default_factory=set)


def load_words(own_table: Path | None = None) -> CategoryWords:
    """Load the table, then a shop's own over it. Raises SettingsError, with the line's number."""
    table = CategoryWords(languages={language: Language() for language in LANGUAGES})
    for path in filter(None, (TABLE, own_table)):
        for category, language, word in _rows(path, table):
            _add(table, category, language, word)
    english = table.languages["en"].words
    for language in LANGUAGES[
        1:
    ]:  # English words occur in all languages; a language's own go first
        table.languages[language].words = english | table.languages[language].words
    return table


def parts_of(text: str) -> list[str]:
    """Return a text's words in lower case without accents, and its marks; `-` joins two words."""
    text = " ".join(text.lower().translate(_LETTERS).replace("_", " ").split())
    bare = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in bare if not unicodedata.combining(c)) if bare != text else text
    # A dash between spaces parts two phrases.
    return _PARTS.findall(bare.replace(" - ", " | "))


def _rows(path: Path, table: CategoryWords) -> Iterator[tuple[str, str, str]]:
    """Yield category, language and word; enters the slots that the rows name."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the category words {path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(("#", "category\t")):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        place = f"{path}, line {number}"
        if len(cells) != 4:
            raise SettingsError(f"{place}: {len(cells)} cells; expected {_EXPECTED}")
        category, slot, language, words = cells
        if language not in (*LANGUAGES, "any"):
            raise SettingsError(
                f"{place}: no language {language!r}; one of {', '.join(LANGUAGES)}, any"
            )
        if category not in (OTHER, IGNORED, WITH, HINT):
            slot = slot or table.slots.get(category, "")
            if slot not in WORN_SLOTS:
                raise SettingsError(f"{place}: no slot {slot!r}; one of {', '.join(WORN_SLOTS)}")
            table.slots[category] = slot
        listed = [word for word in (word.strip() for word in words.split(",")) if word]
        if language == "en" and category in table.slots:
            # The first English row has the plainest words: captions are written with them.
            table.english.setdefault(category, [word.lstrip("*~?") for word in listed])
        for word in listed:
            for each in LANGUAGES if language == "any" else (language,):
                yield category, each, word


_EXPECTED = "category, slot, language and words, parted by tabs"


def _add(table: CategoryWords, category: str, language: str, word: str) -> None:
    """Enter one word with its marks: `*` the end of a compound, `~` weak, `?` not telling."""
    of = table.languages[language]
    mark, bare = (word[0], word[1:]) if word[0] in "*~?" else ("", word)
    named = Word(category, mark == "~")
    is_name = category not in (IGNORED, WITH, HINT)
    for form in _forms(bare, language) if is_name else {bare}:
        key = " ".join(part for part in parts_of(form) if part != "-")
        if " " in key:
            table.starts.add(key.partition(" ")[0])
        if category == WITH:
            of.decoration.add(key)
        elif category == HINT:
            table.telling.setdefault(key, set()).add(language)
        else:
            (of.endings if mark == "*" else of.words)[key] = named
            if mark == "*":
                of.words.setdefault(key, named)
                table.telling_endings.setdefault(key, set()).add(language)
            if mark in ("", "*") and is_name:
                table.telling.setdefault(key, set()).add(language)


def _forms(word: str, language: str) -> set[str]:
    """Return a word and its other spellings; wrong plurals do no harm."""
    forms = {word, f"{word}s"}
    if language in ("en", "es"):
        forms.add(f"{word}es")
    if language == "en" and word.endswith("y"):
        forms.add(f"{word[:-1]}ies")
    if language == "de":
        forms |= {form.lower().translate(_UMLAUTS) for form in forms}
    return forms


def english_words(table: CategoryWords) -> Mapping[str, tuple[Slot, tuple[str, ...]]]:
    """Return slot and plain English words by category, in the table's order."""
    return {
        category: (slot, tuple(table.english.get(category, ())))
        for category, slot in table.slots.items()
    }
