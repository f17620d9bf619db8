"""Name colours from words: finer names, the eleven basic ones, and names within a text.

The basic names are those of Berlin and Kay, Basic Color Terms (1969). Borders between them are
decided as shops sort their shelves: navy, teal and turquoise are blue, beige and khaki are brown,
cream is white, burgundy is red, coral and rust are orange.
"""

import re
from collections.abc import Mapping
from functools import cache

BASIC_NAMES = (
    "black", "white", "grey", "red", "green", "blue", "yellow", "orange", "purple", "pink", "brown",
)  # fmt: skip

# finer name -> its basic name, and other words for it.
FINER_NAMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "light grey": ("grey", ("pale grey", "ash grey")),
    "silver": ("grey", ()),
    "charcoal": (
        "grey",
        ("dark grey", "charcoal grey", "anthracite", "graphite", "gunmetal", "slate grey"),
    ),
    "cream": ("white", ("ivory", "off white", "ecru", "eggshell", "creme")),
    "burgundy": (
        "red",
        ("maroon", "wine red", "wine", "bordeaux", "dark red", "deep red", "claret", "oxblood"),
    ),
    "light pink": (
        "pink",
        ("pale pink", "baby pink", "blush pink", "blush", "powder pink", "soft pink", "pastel pink",
         "rose gold"),
    ),
    "hot pink": ("pink", ("bright pink", "neon pink", "shocking pink", "raspberry")),
    "salmon": ("pink", ("salmon pink",)),
    "magenta": ("pink", ("fuchsia", "fuschia", "cerise")),
    "coral": ("orange", ()),
    "peach": ("orange", ("apricot", "light orange")),
    "rust": (
        "orange", ("terracotta", "terra cotta", "burnt orange", "rust orange", "burnt sienna"),
    ),
    "mustard": ("yellow", ("ochre", "ocher", "mustard yellow", "yellow ochre")),
    "gold": ("yellow", ("golden",)),
    "light yellow": ("yellow", ("pale yellow", "lemon", "pastel yellow", "butter yellow")),
    "olive": (
        "green", ("olive green", "army green", "military green", "khaki green", "moss green"),
    ),
    "dark green": ("green", ("forest green", "bottle green", "hunter green", "racing green")),
    "light green": ("green", ("pale green", "pastel green")),
    "lime": ("green", ("lime green", "neon green", "chartreuse")),
    "mint": ("green", ("mint green",)),
    "sage": ("green", ("sage green",)),
    "teal": ("blue", ("petrol", "petrol blue", "teal blue", "dark teal")),
    "light blue": (
        "blue",
        ("sky blue", "baby blue", "pale blue", "powder blue", "pastel blue", "ice blue"),
    ),
    "navy": (
        "blue",
        ("navy blue", "dark blue", "dark navy", "midnight blue", "midnight", "indigo blue"),
    ),
    "denim blue": ("blue", ("steel blue", "slate blue", "stone blue")),
    "royal blue": (
        "blue", ("cobalt", "cobalt blue", "electric blue", "bright blue", "ultramarine"),
    ),
    "turquoise": ("blue", ("turquoise blue", "aqua", "aquamarine", "cyan")),
    "lavender": ("purple", ("lilac", "light purple", "pale purple", "periwinkle")),
    "plum": ("purple", ("aubergine", "eggplant", "dark purple")),
    "violet": ("purple", ()),
    "mauve": ("purple", ()),
    "beige": ("brown", ("light beige", "oatmeal", "sand", "nude")),
    "tan": ("brown", ("light brown",)),
    "camel": ("brown", ("caramel", "cognac")),
    "khaki": ("brown", ()),
    "taupe": ("brown", ("mocha",)),
    "dark brown": ("brown", ("chocolate", "chocolate brown", "coffee brown", "coffee", "espresso")),
}  # fmt: skip

# Other words for a basic name.
_BASIC_WORDS: Mapping[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet", "cherry red"),
    "grey": ("gray", "heather grey", "grey melange", "steel"),
    "white": ("optic white",),
    "black": ("jet black",),
    "brown": ("bronze", "copper"),
    "green": ("emerald", "emerald green", "jade"),
}
# A cloth before it is a colour: a colour only if it is the whole text.
_CLOTHS: Mapping[str, str] = {"denim": "denim blue", "indigo": "navy", "stone": "beige"}
ALL_NAMES = (*BASIC_NAMES, *FINER_NAMES)
_SEPARATORS = re.compile(r"[/,;|&+]|\band\b|\bwith\b")


@cache
def _words() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return the pattern of all words for colours, longest first, and what each one names."""
    name_of = {name: name for name in (*BASIC_NAMES, *FINER_NAMES)}
    for finer, (_, words) in FINER_NAMES.items():
        name_of |= dict.fromkeys(words, finer)
    for basic, words in _BASIC_WORDS.items():
        name_of |= dict.fromkeys(words, basic)
    longest_first = sorted(name_of, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"), name_of


def _plain(text: str) -> str:
    """Write a text as the words above are: lower case, British, blanks for hyphens."""
    words = " ".join(re.sub(r"[-_]", " ", text.lower()).split())
    return re.sub(r"\bgray\b", "grey", words)


def canonical_name(word: str) -> str | None:
    """Return the name that a word for a colour stands for (`gray`: grey), None for other words."""
    return _words()[1].get(_plain(word))


def find_colours(text: str) -> tuple[str, ...]:
    """Return the colour names in a text, in order, each once: `navy blue jeans` gives navy.

    Of words within words the longest counts; `gray` is `grey`, `maroon` is `burgundy`.
    """
    name_of = _words()[1]
    return tuple(dict.fromkeys(name_of[word] for word in colour_words(text)))


def colour_words(text: str) -> list[str]:
    """Return the words for colours in a text as written, but British and in lower case."""
    return _words()[0].findall(_plain(text))


def colour_named(text: str) -> str | None:
    """Return the one colour name of a shop's colour field, or None.

    The first of several parts counts (`Navy/White`), and in it the last word: `reddish brown`
    and `blue grey` are a brown and a grey.
    """
    for part in _SEPARATORS.split(_plain(text)):
        if part.strip() in _CLOTHS:
            return _CLOTHS[part.strip()]
        if found := find_colours(part):
            return found[-1]
    return None


def basic_name(name: str) -> str | None:
    """Return which of the eleven basic colours a name, or a shop's word, belongs to, or None."""
    named = colour_named(name)
    return named if named is None or named in BASIC_NAMES else FINER_NAMES[named][0]
