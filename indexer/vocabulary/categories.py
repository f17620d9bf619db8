"""Read a garment category and its slot from the words of a feed or of a detector's class list.

The words are a table of eight languages (`category_table.tsv`); one rule for each kind of language
decides which noun of a phrase counts. In English, German and Dutch the head of a noun phrase
stands last: a "shirt dress" is a dress, a "dress shirt" a shirt, and words after "with" or "in"
are decoration. In French, Spanish, Italian, Portuguese and Polish it stands first. Words for
things that are no garment count like any other: a "jeans belt" is a belt, a "shoe box" a box.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from indexer.garments import Slot
from indexer.vocabulary.category_table import (
    HEAD_FIRST,
    IGNORED,
    LANGUAGES,
    MAX_TOKENS,
    OTHER,
    CategoryWords,
    Language,
    Word,
    english_words,
    load_words,
    parts_of,
)

_BUILT_IN = load_words()
_words = _BUILT_IN
# category -> (slot, the plainest English words that name it), singular; many more are recognised.
CATEGORIES: Mapping[str, tuple[Slot, tuple[str, ...]]] = english_words(_BUILT_IN)
OWN_WORDS = "category_words.tsv"  # in the home

# Google's taxonomy by number, for feeds that give no words
# (google.com/basepages/producttype/taxonomy-with-ids.en-US.txt).
GOOGLE_CATEGORIES: Mapping[str, str] = {
    "212": "top", "204": "trousers", "207": "shorts", "1581": "skirt", "2271": "dress",
    "203": "outerwear", "5598": "coat", "5250": "dress", "5182": "romper", "1831": "vest",
    "1594": "suit", "5344": "skirt",
    "187": "shoes", "3032": "handbag", "100": "backpack", "5608": "tote", "101": "bag",
    "103": "bag", "104": "bag", "106": "bag", "173": "headwear", "2020": "headwear",
    "1786": "headwear", "7054": "headwear", "5939": "headwear",
    # Accessories of clothes, of shoes, of handbags; wallets. 6551, handbags and wallets, says
    # neither.
    "167": OTHER, "1933": OTHER, "6552": OTHER, "2668": OTHER,
}  # fmt: skip

# Worn or carried with clothes. Shops sort them together and with scarves, gloves or wallets.
_CARRIED: frozenset[Slot] = frozenset(["shoes", "bag", "headwear"])
_DEPARTMENTS = frozenset(["hats", "handbags"])  # caps hang there too, and totes
_LISTED = re.compile(r"[&,]|\s(?:and|und|et|y|e|i|en)\s")  # what parts the kinds of a step
_MARKS = frozenset("&,:;|()[]/>")
_SIZE = re.compile(r"x{0,4}[sl]|m|\d+(?:x?l|[a-z])?|onesize|os")  # of a variant's title
# Titles are short; if a page was pasted, its beginning names the garment.
_MAX_PARTS, _MAX_CHARACTERS = 60, 1000
_KEPT = 2048  # cached answers: a shop repeats its product types


def use_words_of(home: Path) -> None:
    """Add the shop's own words, `category_words.tsv` in its home, to the built-in ones.

    For main programs, once. Raises SettingsError for a table that cannot be used.
    """
    global _words
    own = home / OWN_WORDS
    _words = load_words(own) if own.is_file() else _BUILT_IN
    _kind_of.cache_clear()


def slot_of(category: str) -> Slot:
    """Return the slot a category is worn in; `unknown` for a category that is not in the table."""
    return _words.slots.get(category, "unknown")


def find_category(text: str) -> str | None:
    """Return the category that a phrase such as a title names, or None."""
    return _garment(find_kind(text))


def naming_parts(text: str) -> set[str]:
    """Return the parts of a text (`parts_of`) that name the category found in it, or join words.

    Of "denim jacket" it is the jacket: that alone names one.
    """
    category = find_category(text)
    parts = parts_of(text[:_MAX_CHARACTERS])[:_MAX_PARTS]
    naming: set[str] = set()
    for name in _likely_languages(parts) if category else ():
        language, at = _words.languages[name], 0
        naming |= language.decoration & set(parts)
        while at < len(parts):
            length, word = _longest(parts, at, language)
            if word is not None and word.category == category:
                named = parts[at : at + length]
                alone = [part for part in named if _longest([part], 0, language)[1] == word]
                naming.update(alone or named)
            at += length
    return naming


def find_category_in_path(path: str) -> str | None:
    """Return the category named deepest in a path such as `Clothing > Tops > T-Shirts`.

    A Google number is looked up; of `Hoodies & Sweatshirts` the first word counts. A step of
    several kinds of shoes, bags or headwear names only their slot, and one of several slots, such
    as `Hats & Gloves`, nothing: what lies there is said by the title.
    """
    return _garment(find_kind_in_path(path))


def find_kind_in_path(path: str) -> str | None:
    """Return the category named deepest in a path, `OTHER` for no garment, None if unknown."""
    path = path[-_MAX_CHARACTERS:]
    if path.strip().isdigit():
        return GOOGLE_CATEGORIES.get(path.strip())
    for step in reversed(re.split(r"[>/]", path)):
        whole = find_kind(step) if "&" in step else None
        if whole and slot_of(whole) not in _CARRIED and is_general(whole):
            return whole  # "Coats & Jackets" is one name
        if kinds := [kind for word in step.split("&") if (kind := find_kind(word))]:
            return _shelf(step, kinds)
    return None


def _shelf(step: str, kinds: Sequence[str]) -> str | None:
    """Return what a step with these kinds (at least one) says of an item, None for too many."""
    listed = {kind for word in _LISTED.split(step) if (kind := find_kind(word))}
    slots = {slot_of(kind) for kind in listed}
    if not slots & _CARRIED:
        return kinds[0]
    if len(slots) > 1:
        return None
    if len(listed) > 1 or step.strip().lower() in _DEPARTMENTS:
        return slots.pop()  # the name of its general category, too
    return kinds[0]


def find_kind(text: str) -> str | None:
    """Return the category that a phrase names, `OTHER` for no garment, None if unknown."""
    return _kind_of(text[:_MAX_CHARACTERS])


@lru_cache(_KEPT)
def _kind_of(text: str) -> str | None:
    parts = parts_of(text)[:_MAX_PARTS]
    kind = None
    for language in _likely_languages(parts):
        named = _named(parts, _words.languages[language], language in HEAD_FIRST)
        if named and named != OTHER:
            return named
        kind = named or kind
    return kind


def is_general(category: str) -> bool:
    """Tell whether a category is no finer than its slot (`top`, `outerwear`)."""
    return category in ("top", "bottom", "outerwear", *_CARRIED)


def telling(category: str | None) -> str | None:
    """Return a category that is finer than its slot, else None."""
    return None if category is None or is_general(category) else category


def most_telling(kinds: Iterable[str | None]) -> str | None:
    """Return the first category that is finer than a slot, else the first of all. None if the first
    fine one is no garment.
    """
    known = [kind for kind in kinds if kind]
    return _garment(next((k for k in known if not is_general(k)), known[0] if known else None))


def _garment(kind: str | None) -> str | None:
    return None if kind == OTHER else kind


def _likely_languages(parts: Sequence[str]) -> list[str]:
    """Return the languages with the most words in the text; English if there are none."""
    counts = dict.fromkeys(LANGUAGES, 0)
    first: dict[str, int] = {}
    bare = [part for part in parts if part != "-"]
    for start, part in enumerate(bare):
        known = False
        longest = MAX_TOKENS if part in _words.starts else 1
        for end in range(start + 1, min(start + longest, len(bare)) + 1):
            for language in _words.telling.get(" ".join(bare[start:end]), ()):
                counts[language] += 1
                first.setdefault(language, start)
                known = True
        if not known and (ending := _ending(part, _words.telling_endings)):
            for language in _words.telling_endings[ending]:
                counts[language] += 1
                first.setdefault(language, start)
    most = max(counts.values())
    if not most:
        return ["en"]
    likely = [name for name in LANGUAGES if counts[name] == most]
    return sorted(likely, key=first.__getitem__)  # "Vestido chemise" begins in Spanish


def _named(parts: Sequence[str], language: Language, head_first: bool) -> str | None:
    """Return what the head of the phrase names in this language."""
    strong: list[str] = []
    weak: list[str] = []
    at = 0
    while at < len(parts):
        part = parts[at]
        # Where the noun stands last, words after "with" or "in" are decoration.
        ends = part in _MARKS or part in language.decoration
        length, word = _longest(parts, at, language)
        if word is None and ends and not head_first and (strong or weak):
            break
        # "dress-up days": the first half of such a word names nothing where the head is last.
        is_half = not head_first and _goes_on(parts, at + length)
        if word is not None and word.category != IGNORED and not is_half:
            (weak if word.is_weak else strong).append(word.category)
        at += length
    nouns = strong or weak
    if not nouns:
        return None
    return nouns[0] if head_first else nouns[-1]


def _goes_on(parts: Sequence[str], at: int) -> bool:
    """Tell whether a hyphen joins a word to what stands before; a size, as in `Tee-XS`, is none."""
    joined = parts[at + 1] if parts[at : at + 1] == ["-"] and len(parts) > at + 1 else ""
    return bool(joined) and not _SIZE.fullmatch(joined)


def _longest(parts: Sequence[str], at: int, language: Language) -> tuple[int, Word | None]:
    """Return how many parts from here make the longest known name, and what it names."""
    best: tuple[int, Word | None] = (1, None)
    text, tokens = "", 0
    for i in range(at, len(parts)):
        if parts[i] == "-":
            continue
        text = f"{text} {parts[i]}" if text else parts[i]
        tokens += 1
        if word := language.words.get(text):
            best = (i - at + 1, word)
        if tokens == (MAX_TOKENS if parts[at] in _words.starts else 1):
            break
    if best[1] is None and language.endings and (ending := _ending(parts[at], language.endings)):
        return 1, language.endings[ending]
    return best


def _ending(part: str, endings: Mapping[str, object]) -> str | None:
    """Return the longest known ending of a compound such as `sommerkleid`."""
    # Three letters before it: "Rock" does not end "Barock" alone, but "Jeansrock" and "Minirock".
    return next((part[i:] for i in range(3, len(part) - 1) if part[i:] in endings), None)


__all__ = [
    "CATEGORIES",
    "GOOGLE_CATEGORIES",
    "OTHER",
    "CategoryWords",
    "find_category",
    "find_category_in_path",
    "find_kind",
    "find_kind_in_path",
    "is_general",
    "most_telling",
    "naming_parts",
    "slot_of",
    "telling",
    "use_words_of",
]
