"""List the items of the sample shop with their prices, and draw their pictures."""

import random
from dataclasses import dataclass

from indexer.sample.archive import Availability, Gender, SampleItem, View
from training.sample_shop.palette import COLOURS
from training.sample_shop.picture import TAILORS, DrawnPhoto, Look, draw_look

# How many colours each of a category's designs comes in: most are a choice, one is not.
VARIANTS = (1, 2, 3, 3, 2, 3)
DENIM_COLOURS = ("blue", "light blue", "navy", "black", "grey", "white")
FOR_WOMEN = frozenset(("blouse", "skirt", "leggings", "dress", "maxi dress", "jumpsuit"))


@dataclass(frozen=True)
class Range:
    """What a category is offered in: patterns, materials, and prices in euro."""

    patterns: tuple[str, ...]
    materials: tuple[str, ...]
    prices: tuple[int, int]


_LIGHT = ("plain", "stripe", "dot", "floral", "heather", "camo")
_DRESSY = ("plain", "floral", "dot", "stripe", "check", "plain")
_WOOLLEN = ("plain", "herringbone", "check", "plain", "heather", "plain")
RANGES: dict[str, Range] = {
    "t-shirt": Range(_LIGHT, ("cotton", "organic cotton"), (9, 29)),
    "shirt": Range(
        ("plain", "stripe", "check", "check", "dot", "denim"), ("cotton", "linen"), (29, 69)
    ),
    "blouse": Range(
        ("plain", "floral", "dot", "plain", "stripe", "floral"), ("viscose", "silk"), (29, 79)
    ),
    "sweater": Range(
        ("plain", "ribbed", "stripe", "heather", "plain", "check"), ("wool", "cotton"), (39, 99)
    ),
    "hoodie": Range(
        ("plain", "heather", "camo", "plain", "stripe", "plain"), ("cotton",), (35, 79)
    ),
    "tank top": Range(
        ("plain", "ribbed", "stripe", "floral", "dot", "heather"), ("cotton",), (9, 25)
    ),
    "polo shirt": Range(
        ("plain", "stripe", "heather", "plain", "check", "dot"), ("cotton",), (25, 59)
    ),
    "jeans": Range(("denim",), ("denim",), (49, 119)),
    "trousers": Range(
        ("plain", "check", "herringbone", "plain", "stripe", "camo"), ("wool", "cotton"), (39, 119)
    ),
    "shorts": Range(
        ("plain", "camo", "check", "floral", "denim", "plain"), ("cotton", "linen"), (19, 49)
    ),
    "skirt": Range(
        ("plain", "check", "floral", "dot", "denim", "plain"), ("viscose", "cotton"), (25, 79)
    ),
    "leggings": Range(
        ("plain", "plain", "ribbed", "heather", "plain", "camo"), ("polyamide",), (15, 45)
    ),
    "dress": Range(_DRESSY, ("viscose", "cotton"), (39, 129)),
    "maxi dress": Range(_DRESSY, ("viscose", "linen"), (59, 159)),
    "jumpsuit": Range(
        ("plain", "floral", "stripe", "denim", "dot", "plain"), ("viscose",), (59, 139)
    ),
    "coat": Range(_WOOLLEN, ("wool",), (129, 349)),
    "jacket": Range(
        ("plain", "camo", "plain", "check", "heather", "plain"), ("cotton", "nylon"), (69, 179)
    ),
    "denim jacket": Range(("denim",), ("denim",), (59, 129)),
    "blazer": Range(_WOOLLEN, ("wool", "linen"), (89, 229)),
    "puffer jacket": Range(
        ("plain", "plain", "camo", "plain", "check", "heather"), ("polyester",), (79, 249)
    ),
}
WORDS = {
    "plain": "",
    "stripe": "striped ",
    "check": "checked ",
    "dot": "polka dot ",
    "denim": "denim ",
    "floral": "floral ",
    "heather": "heather ",
    "camo": "camouflage ",
    "herringbone": "herringbone ",
    "ribbed": "ribbed ",
}
BRANDS = ("Atelier Nord", "Fadenlauf", "Maison Pli", "Webkante", "Thimble & Co")


def look_of(item: SampleItem) -> Look:
    """Return what an item looks like, as the drawing needs it."""
    return Look(item.category, item.colour, item.pattern, item.design, item.gender != "male")


def sample_items(seed: int = 0) -> tuple[SampleItem, ...]:
    """List the shop's items: 20 categories, 6 designs each, in one to three colours."""
    rng = random.Random(seed)
    items: list[SampleItem] = []
    for category in RANGES:
        for number, variants in enumerate(VARIANTS):
            items += _design_items(category, number, variants, rng)
    return tuple(items)


def _design_items(
    category: str, number: int, variants: int, rng: random.Random
) -> list[SampleItem]:
    offer = RANGES[category]
    pattern = offer.patterns[number % len(offer.patterns)]
    colours = rng.sample(DENIM_COLOURS if pattern == "denim" else tuple(COLOURS), variants)
    group_id = f"{category.replace(' ', '-')}-{number + 1}"
    genders: tuple[Gender, ...] = (
        ("female",) if category in FOR_WOMEN else ("female", "male", "unisex")
    )
    gender = genders[number % len(genders)]
    brand, material = rng.choice(BRANDS), rng.choice(offer.materials)
    price, design = rng.randint(*offer.prices) + 0.9, rng.getrandbits(24)
    return [
        SampleItem(
            item_id=f"{group_id}-{colour.replace(' ', '-')}",
            group_id=group_id,
            title=_title(colour, pattern, category),
            brand=brand,
            slot=TAILORS[category][0],
            category=category,
            colour=colour,
            pattern=pattern,
            material="denim" if pattern == "denim" else material,
            gender=gender,
            size=rng.choice(("S", "M", "L")),
            price=price,
            availability=_availability(rng),
            design=design,
        )
        for colour in colours
    ]


def _title(colour: str, pattern: str, category: str) -> str:
    word = "" if "denim" in category or category == "jeans" else WORDS[pattern]
    return f"{colour} {word}{category}".capitalize()


def _availability(rng: random.Random) -> Availability:
    draw = rng.random()
    if draw < 0.82:
        return "in_stock"
    return "out_of_stock" if draw < 0.96 else "preorder"


def draw(item: SampleItem, view: View, seed: int = 0) -> DrawnPhoto:
    """Draw an item worn or lying flat; the seed varies person, pose, other garments and studio."""
    return draw_look(look_of(item), view, seed)
