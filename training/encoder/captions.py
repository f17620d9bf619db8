"""Write captions of a garment as shoppers and shops would.

A caption claims some of the facts, so that it is known which other garments it fits too: a "red
dress" is said of every red dress of a batch, and of no blue one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from indexer.garments import Slot
from indexer.vocabulary.categories import CATEGORIES, is_general
from indexer.vocabulary.colour_terms import BASIC_NAMES, FINER_NAMES, basic_name, canonical_name
from training.encoder.photos import Facts

# The drawn patterns and the shop's, in one vocabulary: name -> how people write it.
PATTERNS: dict[str, tuple[str, ...]] = {
    "plain": ("plain", "solid", "solid colour", "solid color"),
    "stripe": ("striped", "stripes", "stripe", "breton"),
    "check": ("checked", "check", "checks", "plaid", "tartan", "gingham"),
    "dot": ("polka dot", "dotted", "spotted", "polka dots"),
    "floral": ("floral", "flower print", "flowered", "floral print"),
    "herringbone": ("herringbone", "tweed"),
    "heather": ("heather", "melange", "marl"),
    "camo": ("camouflage", "camo"),
    "ribbed": ("ribbed", "rib knit"),
    "denim": ("denim",),
    "color-blocked": ("colour block", "color block", "colourblocked"),
    "graphic print": ("printed", "graphic", "print", "graphic print"),
}
_SAME_PATTERN = {"solid": "plain", "striped": "stripe", "checked": "check",
                 "solid-highlight": "plain"}  # fmt: skip
GENDERS = {
    "men": ("men", "men's", "mens", "man"),
    "women": ("women", "women's", "womens", "ladies"),
}
SLOT_WORDS: dict[Slot, tuple[str, ...]] = {
    "top": ("top", "tops", "topwear"),
    "bottom": ("bottom", "bottoms", "bottomwear"),
    "dress": ("dress", "dresses"),
    "outer": ("outerwear", "outer"),
    "shoes": ("shoes", "footwear"),
    "bag": ("bag", "bags"),
    "headwear": ("headwear",),
}
# Words that shops write and that say nothing of the looks; brands are made of unused tokens.
NOISE = ("new", "the", "for", "fit", "slim", "regular", "casual", "sports", "classic", "with", "in",
         "a", "of", "wear", "summer", "winter", "basic", "look", "style", "photo")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claims:
    """What one caption says; None where it says nothing."""

    slot: Slot | None = None
    category: str | None = None
    colour: str | None = None
    pattern: str | None = None
    gender: str | None = None


def caption(facts: Facts, rng: np.random.Generator) -> tuple[str, Claims]:
    """Write a caption of some of the facts, and say which."""
    words: list[str] = []
    said: dict[str, str] = {}
    if facts.gender and rng.random() < 0.4:
        words.append(_pick(GENDERS[facts.gender], rng))
        said["gender"] = facts.gender
    pattern = pattern_of(facts)
    at_front: list[str] = []
    if facts.colours and rng.random() < 0.75:
        said["colour"], word = _colour_word(facts, rng)
        at_front.append(word)
    if pattern and (pattern != "plain" or rng.random() < 0.3) and rng.random() < 0.8:
        said["pattern"] = pattern
        at_front.append(_pick(PATTERNS[pattern], rng))
    rng.shuffle(at_front)
    noun = _noun(facts, said, rng)
    words += [*at_front, noun] if rng.random() < 0.85 else [noun, *at_front]
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.4 else 0):
        words.insert(int(rng.integers(0, len(words) + 1)), _pick(NOISE, rng))
    return " ".join(word for word in words if word), Claims(**said)  # type: ignore[arg-type]


def _noun(facts: Facts, said: dict[str, str], rng: np.random.Generator) -> str:
    if facts.category and rng.random() < 0.85:
        said["category"] = facts.category
        return _pick(_category_words()[facts.category], rng)
    if facts.slot in SLOT_WORDS and (not said or rng.random() < 0.7):
        said["slot"] = facts.slot
        return _pick(SLOT_WORDS[facts.slot], rng)
    return ""


def _colour_word(facts: Facts, rng: np.random.Generator) -> tuple[str, str]:
    named = [name for c in facts.colours if (name := canonical_name(c))]
    name = _pick(named, rng) if named else "black"
    basic = basic_name(name) or name
    if name == basic or rng.random() < 0.5:
        return basic, "gray" if basic == "grey" and rng.random() < 0.4 else basic
    return name, _pick((name, name, *FINER_NAMES[name][1]), rng)


def pattern_of(facts: Facts) -> str | None:
    """Return a garment's pattern in the vocabulary of captions, or None."""
    if facts.pattern is None:
        return "denim" if facts.category == "jeans" else None
    named = _SAME_PATTERN.get(facts.pattern, facts.pattern)
    return named if named in PATTERNS else None


def fit_matrix(claims: Sequence[Claims], facts: Sequence[Facts]) -> NDArray[np.int8]:
    """Tell which captions are true of which garments, (garments, captions): 1, 0, -1 not known."""
    wrong = np.zeros((len(facts), len(claims)), np.bool_)
    unknown = wrong.copy()
    for field in ("slot", "category", "pattern", "gender"):
        if field == "pattern":
            known = np.array([pattern_of(f) or "" for f in facts])[:, None]
        else:
            known = np.array([getattr(f, field) or "" for f in facts])[:, None]
        claimed = np.array([getattr(c, field) or "" for c in claims])[None]
        unknown |= (claimed != "") & (known == "")
        wrong |= (claimed != "") & (known != "") & (known != claimed)
    colours = np.array([[_colour_fit(c.colour, f.colours) for c in claims] for f in facts])
    unknown |= colours < 0
    wrong |= colours == 0
    return np.where(wrong, 0, np.where(unknown, -1, 1)).astype(np.int8)


@cache
def _colour_fit(claimed: str | None, colours: tuple[str, ...]) -> int:
    if claimed is None:
        return 1
    names = {canonical_name(colour) for colour in colours}
    if not names or claimed in names:
        return 1 if names else -1
    same_basic = basic_name(claimed) in {basic_name(colour) for colour in colours}
    if claimed in BASIC_NAMES:
        return int(same_basic)
    return -1 if same_basic else 0  # a finer name is a matter of taste among its likes


@cache
def _category_words() -> dict[str, tuple[str, ...]]:
    """Return how each category is written, singular and plural, the plainest word most often."""
    written = {}
    for category, (_, words) in CATEGORIES.items():
        if not is_general(category):
            plural = [word if word.endswith("s") else f"{word}s" for word in words]
            written[category] = (category, category, *words, *plural)
    return written


def vocabulary() -> list[str]:
    """List every word that a caption may have."""
    phrases = [word for words in _category_words().values() for word in words]
    for written in (*PATTERNS.values(), *GENDERS.values(), *SLOT_WORDS.values()):
        phrases += written
    phrases += [*BASIC_NAMES, "gray", *FINER_NAMES, *NOISE]
    phrases += [word for _, words in FINER_NAMES.values() for word in words]
    return sorted(set(phrases))


def _pick(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]
