"""Check one stored item: its colour, category, pictures and fields."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from indexer.description.garment_choice import NEXT_SLOTS
from indexer.images.image_sources import is_remote
from indexer.models.attribute_heads import CATEGORY, LOOKS_LIKE
from indexer.storage.tables import ItemRow
from indexer.vocabulary.categories import slot_of
from indexer.vocabulary.colour_terms import BASIC_NAMES, FINER_NAMES, find_colours

Severity = Literal["high", "medium", "low"]

# Basic colours that a photo's light, or a seller's taste, may swap: no finding.
_NEAR: Mapping[str, tuple[str, ...]] = {
    "black": ("grey", "blue", "brown"),
    "white": ("grey", "brown", "yellow", "pink"),
    "grey": ("blue", "brown", "green", "purple"),
    "red": ("pink", "orange", "brown", "purple"),
    "pink": ("purple", "orange", "brown"),
    "orange": ("yellow", "brown"),
    "yellow": ("brown", "green"),
    "green": ("blue", "brown"),
    "blue": ("purple",),
}
# So dark that a photo shows them as black.
_DARK = frozenset(["olive", "dark green", "burgundy", "plum", "dark brown", "navy", "charcoal"])
# Fine stripes and checks on white blend into these, whatever their colour.
_BLENDS = frozenset(["white", "grey"])
HEAD_SURE = 0.2  # less of a softmax over eleven colours is no opinion
CATEGORY_SURE = 0.9  # of a softmax over twenty: better no finding than a wrong one
SMALL_GARMENT_PX = 112  # half of the 224 that the encoder sees: the rest is interpolated
# Categories whose words feeds use for each other; all others are different garments to a shopper.
_SAME_KIND: tuple[frozenset[str], ...] = (
    frozenset(["trousers", "jeans", "leggings", "bottom"]),
    frozenset(["shorts", "bottom"]),
    frozenset(["skirt", "bottom"]),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. `said` is the feed's value, `seen` the actual one, `action` what to do.
    Variants that share it are one finding with all their `item_ids`.
    """

    kind: str
    severity: Severity
    item_ids: tuple[str, ...]
    title: str
    said: str
    seen: str
    action: str
    sha256: str = ""
    address: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for findings that a person would count as one: of one photo, or of one title."""
        return self.kind, self.sha256 or self.address or self.title, self.said, self.seen


@dataclass(frozen=True, slots=True)
class SeenGarment:
    """An item's garment as it was described, with its photo."""

    slot: str
    category: str
    is_fallback: bool
    box: Sequence[float]
    palette: Sequence[Mapping[str, Any]]
    attributes: Mapping[str, Mapping[str, float]]
    sha256: str
    address: str
    position: int
    image_hw: tuple[int, int]


def findings_of(
    item: ItemRow, garments: Sequence[SeenGarment], addresses: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the findings of one item; `addresses` are its photos', by hash, main photo first."""
    yield from _fields(item)
    yield from _gone(item, addresses)
    if not garments:
        main, address = next(iter(addresses.items()), ("", ""))
        yield _finding(
            item, "no_garment", "high", item.category or "", "no garment was found in its pictures",
            "give it a picture that shows the garment", main, address,
        )  # fmt: skip
        return
    seen = [garment for garment in garments if not garment.is_fallback]
    if not seen:
        yield _at(
            item, garments[0], "fallback_only", "medium", item.category or item.slot or "",
            "no such garment was found; the whole picture, or what stands out in it, is searched",
            "look whether the picture shows it; give one that shows it plainly",
        )  # fmt: skip
        return
    yield from _small(item, seen)
    yield from _colour(item, seen)
    yield from _category(item, seen)


def _fields(item: ItemRow) -> Iterator[Finding]:
    for name, value in (("title", item.title.strip()), ("price", item.price)):
        if value in ("", None):
            yield _finding(
                item, f"no_{name}", "medium", f"no {name}", "", f"give the item a {name}", "", ""
            )


def _gone(item: ItemRow, addresses: Mapping[str, str]) -> Iterator[Finding]:
    for sha256, address in addresses.items():
        if not is_remote(address) and not Path(address).is_file():
            yield _finding(
                item, "picture_gone", "medium", address, "the file is not there any more",
                "put it back, or sync again with the feed's present pictures", sha256, address,
            )  # fmt: skip


def _small(item: ItemRow, garments: Sequence[SeenGarment]) -> Iterator[Finding]:
    for garment in garments:
        x1, y1, x2, y2 = garment.box
        height, width = garment.image_hw
        side = max((x2 - x1) * width, (y2 - y1) * height)
        if side < SMALL_GARMENT_PX:
            yield _at(
                item, garment, "tiny_picture", "low", f"{width}x{height} px",
                f"its garment is {side:.0f} px long", "give a larger picture",
            )  # fmt: skip


def _colour(item: ItemRow, garments: Sequence[SeenGarment]) -> Iterator[Finding]:
    """Yield a finding if no picture shows a colour near one that the feed names."""
    names = find_colours(item.colour or "")
    if not names:
        return
    named_colours = {_basic(name) for name in names} | {"black" for name in names if name in _DARK}
    for garment in garments:
        # A small share counts too: a feed may name the stripe, not the ground.
        shown = {_basic(str(colour["name"])) for colour in garment.palette}
        head = garment.attributes.get("colour", {})
        shown |= {_basic(name) for name, score in head.items() if score >= HEAD_SURE}
        if any(_are_near(one, other) for one in named_colours for other in shown):
            return
    main = min(garments, key=lambda garment: garment.position)
    named = ", ".join(f"{c['name']} {c['share']:.0%}" for c in main.palette[:3])
    may_be_blend = _basic(str(main.palette[0]["name"])) in _BLENDS if main.palette else True
    yield _at(
        item, main, "colour_differs", "low" if may_be_blend else "high", item.colour or "", named,
        "if it is no fine stripe or check, look which is wrong: the feed's colour, or the picture"
        if may_be_blend
        else "look which is wrong: the feed's colour, or the picture",
    )  # fmt: skip


def _category(item: ItemRow, garments: Sequence[SeenGarment]) -> Iterator[Finding]:
    """Yield a finding if every picture surely shows another kind of garment than the feed names."""
    if not item.category or not item.slot:
        return
    scored = [each for each in map(_likeliest, garments) if each is not None]
    if len(scored) < len(garments) or any(score < CATEGORY_SURE for _, score in scored):
        return
    if any(_is_same_kind(item.category, label) for label, _ in scored):
        return
    main = min(garments, key=lambda garment: garment.position)
    label, score = _likeliest(main) or scored[0]
    yield _at(
        item, main, "category_differs", "high" if slot_of(label) != item.slot else "medium",
        item.category, f"{label} {score:.0%}",
        "look which is wrong: the feed's category, or the picture",
    )  # fmt: skip


def _likeliest(garment: SeenGarment) -> tuple[str, float] | None:
    """Return the likeliest category of any slot, with its probability; None without one."""
    likely = garment.attributes.get(LOOKS_LIKE) or garment.attributes.get(CATEGORY, {})
    return next(iter(likely.items()), None)


def _is_same_kind(feed_kind: str, seen: str) -> bool:
    """Tell whether two shops' words may mean the same garment: see NEXT_SLOTS.

    One shop's hooded jacket is another's hoodie, and a tunic a short dress.
    """
    feed_slot, seen_slot = slot_of(feed_kind), slot_of(seen)
    if feed_slot == seen_slot == "bottom":
        return any({feed_kind, seen} <= kind for kind in _SAME_KIND)
    if feed_slot == "bottom":
        return False  # a dress is no pair of trousers, though its lower half may be taken for one
    return seen_slot in NEXT_SLOTS.get(feed_slot, (seen_slot,))


def _basic(name: str) -> str:
    return name if name in BASIC_NAMES else FINER_NAMES[name][0]


def _are_near(one: str, other: str) -> bool:
    return one == other or other in _NEAR.get(one, ()) or one in _NEAR.get(other, ())


def _at(
    item: ItemRow,
    garment: SeenGarment,
    kind: str,
    severity: Severity,
    feed_value: str,
    seen: str,
    action: str,
) -> Finding:
    return _finding(item, kind, severity, feed_value, seen, action, garment.sha256, garment.address)


def _finding(
    item: ItemRow,
    kind: str,
    severity: Severity,
    feed_value: str,
    seen: str,
    action: str,
    sha256: str,
    address: str,
) -> Finding:
    return Finding(
        kind, severity, (item.item_id,), item.title, feed_value, seen, action, sha256, address
    )
