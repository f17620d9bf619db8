"""Words of a feed or of a detector's class list in, a garment category and its slot out.

English for now; one table, one rule. The head of an English noun phrase stands last, so that a
"shirt dress" is a dress and a "dress shirt" a shirt; what follows "with" or "in" is decoration.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from indexer.garments import Slot

# category -> (slot, words that name it); singular forms, plurals are made below.
CATEGORIES: Mapping[str, tuple[Slot, tuple[str, ...]]] = {
    "t-shirt": ("top", ("t-shirt", "tshirt", "t shirt", "tee", "tee shirt")),
    "shirt": ("top", ("shirt", "longsleeve", "long sleeve", "button-down", "overshirt")),
    "blouse": ("top", ("blouse", "tunic", "kurta", "kurti")),
    "polo": ("top", ("polo", "polo shirt")),
    "sweater": ("top", ("sweater", "jumper", "pullover", "knitwear", "knit", "turtleneck")),
    "sweatshirt": ("top", ("sweatshirt", "fleece")),
    "hoodie": ("top", ("hoodie", "hoody", "hooded sweatshirt")),
    "cardigan": ("top", ("cardigan",)),
    "tank top": ("top", ("tank", "tank top", "camisole", "cami", "undershirt", "bra", "crop top")),
    "vest": ("top", ("vest", "waistcoat", "gilet")),
    "bodysuit": ("top", ("bodysuit", "body")),
    "top": (
        "top",
        ("top", "topwear", "upper body", "short sleeve top", "long sleeve top", "sling"),
    ),
    "jeans": ("bottom", ("jeans", "jean")),
    "trousers": ("bottom", ("trousers", "trouser", "pants", "pant", "chinos", "chino", "joggers")),
    "shorts": ("bottom", ("shorts", "bermudas", "boxers")),
    "skirt": ("bottom", ("skirt", "skort", "kilt")),
    "leggings": ("bottom", ("leggings", "legging", "tights", "jeggings", "capris", "capri")),
    "bottom": ("bottom", ("bottom", "bottomwear", "lower body")),
    "dress": ("dress", ("dress", "gown", "sundress", "sling dress", "vest dress", "sarees")),
    "romper": ("dress", ("romper", "jumpsuit", "overall", "dungarees", "playsuit", "one-piece")),
    "coat": ("outer", ("coat", "overcoat", "trench", "trench coat", "parka", "raincoat")),
    "jacket": ("outer", ("jacket", "bomber", "windbreaker", "anorak", "blouson")),
    "blazer": ("outer", ("blazer", "sport coat", "suit jacket")),
    "cape": ("outer", ("cape", "poncho", "shawl")),
    "suit": ("outer", ("suit", "tuxedo")),
    "outerwear": ("outer", ("outer", "outerwear", "outwear", "coats & jackets")),
}

# Google's taxonomy by number, for feeds that give no words
# (google.com/basepages/producttype/taxonomy-with-ids.en-US.txt).
GOOGLE_CATEGORIES: Mapping[str, str] = {
    "212": "top", "204": "trousers", "207": "shorts", "1581": "skirt", "2271": "dress",
    "203": "outerwear", "5598": "coat", "5250": "dress", "5182": "romper", "1831": "vest",
}  # fmt: skip

_DECORATION = re.compile(r"\s(?:with|in|for|and|by|from|w/)\s|[,:;|(\[]")


@cache
def _words() -> tuple[re.Pattern[str], dict[str, str]]:
    category_of: dict[str, str] = {}
    for category, (_, words) in CATEGORIES.items():
        for word in words:
            for form in (word, f"{word}s", f"{word}es", f"{word[:-1]}ies"):
                category_of.setdefault(form, category)
    longest_first = sorted(category_of, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")
    return pattern, category_of


def slot_of(category: str) -> Slot:
    """Return the slot a category is worn in; `unknown` for a category that is not in the table."""
    return CATEGORIES[category][0] if category in CATEGORIES else "unknown"


def find_category(text: str) -> str | None:
    """Return the category that a phrase such as a title names, or None."""
    pattern, category_of = _words()
    for phrase in _DECORATION.split(text.lower().replace("_", " ")):
        if found := pattern.findall(phrase):
            return category_of[found[-1]]
    return None


def find_category_in_path(path: str) -> str | None:
    """Return the category named deepest in a path such as `Clothing > Tops > T-Shirts`.

    A Google number is looked up; of `Hoodies & Sweatshirts` the first word counts.
    """
    if path.strip().isdigit():
        return GOOGLE_CATEGORIES.get(path.strip())
    for step in reversed(re.split(r"[>/]", path)):
        for word in step.split("&"):
            if category := find_category(word):
                return category
    return None


def is_general(category: str) -> bool:
    """Tell whether a category says no more than its slot (`top`, `outerwear`)."""
    return category in ("top", "bottom", "outerwear")


def telling(category: str | None) -> str | None:
    """Return a category that says more than its slot, else None."""
    return None if category is None or is_general(category) else category


def most_telling(categories: Iterable[str | None]) -> str | None:
    """Return the first category that says more than a slot, else the first at all."""
    known = [category for category in categories if category]
    return next((c for c in known if not is_general(c)), known[0] if known else None)
