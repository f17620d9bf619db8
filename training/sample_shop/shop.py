"""List the items of the sample shop with their prices, and draw their pictures."""

import random
from dataclasses import dataclass

from indexer.garments import Slot
from indexer.sample.archive import Availability, Gender, SampleItem, View
from training.sample_shop.palette import COLOURS
from training.sample_shop.picture import DrawnPhoto, Look, draw_look, slot_of

# How many colours each of a category's designs comes in: most are a choice, one is not.
VARIANTS = (1, 2, 3, 3, 2, 3)
ACCESSORY_VARIANTS = (2, 1)
DENIM_COLOURS = ("blue", "light blue", "navy", "black", "grey", "white")
FOR_WOMEN = frozenset(
    ("blouse", "skirt", "leggings", "dress", "maxi dress", "jumpsuit", "heels", "handbag")
)


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
ACCESSORIES: dict[str, Range] = {
    "sneakers": Range(("plain", "stripe"), ("canvas", "cotton"), (49, 129)),
    "boots": Range(("plain", "plain"), ("leather", "suede"), (89, 229)),
    "sandals": Range(("plain", "floral"), ("leather", "cotton"), (29, 99)),
    "heels": Range(("plain", "dot"), ("leather", "satin"), (59, 159)),
    "tote": Range(("plain", "stripe"), ("canvas", "cotton"), (19, 89)),
    "handbag": Range(("plain", "herringbone"), ("leather", "wool"), (49, 249)),
    "backpack": Range(("plain", "camo"), ("nylon", "canvas"), (39, 139)),
    "cap": Range(("plain", "denim"), ("cotton",), (15, 35)),
    "beanie": Range(("plain", "heather"), ("wool", "cotton"), (12, 39)),
    "hat": Range(("plain", "check"), ("wool", "cotton"), (25, 79)),
}
SHOE_SIZES, ONE_SIZE = ("37", "38", "39", "40", "41", "42"), ("one size",)
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
    """List the shop's clothes: 20 categories, 6 designs each, in one to three colours."""
    rng = random.Random(seed)
    items: list[SampleItem] = []
    for category in RANGES:
        for number, variants in enumerate(VARIANTS):
            items += _design_items(category, number, variants, rng)
    return tuple(items)


def accessory_items(seed: int = 0) -> tuple[SampleItem, ...]:
    """List the shop's shoes, bags and headwear: ten categories, two designs each, three items."""
    rng = random.Random(f"accessories {seed}")
    items: list[SampleItem] = []
    for category in ACCESSORIES:
        for number, variants in enumerate(ACCESSORY_VARIANTS):
            items += _design_items(category, number, variants, rng)
    return tuple(items)


def _sizes(slot: Slot) -> tuple[str, ...]:
    if slot == "shoes":
        return SHOE_SIZES
    return ONE_SIZE if slot in ("bag", "headwear") else ("S", "M", "L")


def _design_items(
    category: str, number: int, variants: int, rng: random.Random
) -> list[SampleItem]:
    offer = RANGES.get(category) or ACCESSORIES[category]
    slot = slot_of(category)
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
            slot=slot,
            category=category,
            colour=colour,
            pattern=pattern,
            material="denim" if pattern == "denim" else material,
            gender=gender,
            size=rng.choice(_sizes(slot)),
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
    """Draw an item in one of its `views_of`; the seed varies all but the item itself."""
    return draw_look(look_of(item), view, seed)
