"""Gather garment crops from the training sets with the attributes their labels support.

Luma's feed says most: category, gender, pattern, materials, styles, and in its words sleeves and
necklines. What a category implies is taken as said: a t-shirt has short sleeves, shorts are short.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.colour.illuminant import estimate_illuminant
from indexer.colour.palette import palette
from indexer.feeds.reading.record import ItemRecord
from indexer.garments import Garments, Slot
from indexer.images.photo import read_photo
from indexer.models.protocols import Detector
from indexer.vocabulary.categories import slot_of, telling
from indexer.vocabulary.colour_terms import basic_name
from training.data.ccp import read_ccp, read_validation_ids
from training.data.clothing import photos_of_garments
from training.data.cut_outs import chosen_garment, crop_of, lab_of, product_detector, shrunk_size
from training.data.luma import luma_photos, luma_records
from training.data.seen_kinds import SeenKinds
from training.data.shops import shop_photos

MAX_SIDE_PX = 320  # crops are kept in memory; the encoder looks at none larger than this
MAIN_SHARE = 0.6  # of a garment; with less it has no one colour

SLEEVES: Mapping[str, str] = {
    "t-shirt": "short", "polo": "short", "sweater": "long", "sweatshirt": "long", "hoodie": "long",
    "cardigan": "long", "coat": "long", "jacket": "long", "blazer": "long", "suit": "long",
    "tank top": "sleeveless", "vest": "sleeveless",
}  # fmt: skip
LENGTHS: Mapping[str, str] = {
    "shorts": "short", "jeans": "long", "trousers": "long", "leggings": "long",
}  # fmt: skip
MATERIALS: Mapping[str, str] = {
    "cotton": "cotton", "polyester": "polyester", "nylon": "nylon", "spandex": "stretch",
    "lycra": "stretch", "wool": "wool", "fleece": "fleece", "hemp": "hemp", "rayon": "rayon",
    "mesh": "mesh",
}  # fmt: skip
PATTERNS: Mapping[str, str] = {
    "Solid": "plain", "Solid-Highlight": "plain", "Color-Blocked": "colour-blocked",
    "Striped": "striped", "Checked": "checked", "Graphic Print": "printed",
}  # fmt: skip
MULTI_LABEL = frozenset({"material", "style"})

_NECKLINES: Mapping[str, str] = {
    r"v-neck": "v-neck", r"crew[- ]?neck": "crew neck", r"scoop(?:ed)? neck": "scoop neck",
    r"hood(?:ie|ed)?\b": "hood", r"mock[- ]neck|stand-up collar|high collar": "high collar",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCrop:
    """One cut-out garment: `labels` of each attribute that is known of it.

    `photo` is the whole photo, small; `source` the set; `group` what must not be torn apart: a sku,
    or one photo.
    """

    pixels: NDArray[np.uint8]
    photo: NDArray[np.uint8]
    labels: Mapping[str, tuple[str, ...]]
    source: str
    group: str
    held_out: bool


def labelled_crops(fill: tuple[int, int, int]) -> Iterator[LabelledCrop]:
    """Yield the garments of all four sets. Takes ten minutes."""
    detector = product_detector()
    yield from _luma_crops(fill, detector)
    yield from _ccp_crops(fill)
    yield from _clothing_crops(fill, detector)
    yield from _shop_crops(fill, detector)


def _luma_crops(fill: tuple[int, int, int], detector: Detector) -> Iterator[LabelledCrop]:
    records = luma_records()
    for each in tqdm(luma_photos(), desc="luma", unit="photo"):
        photo = read_photo(each.path)
        one = chosen_garment(detector, photo, each.slot)
        labels = luma_labels(records[each.sku])
        if basic := basic_name(each.colour):
            labels["colour"] = (basic,)
        crop = small(crop_of(photo.pixels, one, fill))
        yield LabelledCrop(crop, small(photo.pixels), labels, "luma", each.sku, each.is_test)


def luma_labels(record: ItemRecord) -> dict[str, tuple[str, ...]]:
    """Return what Luma's feed says of a product, its colour aside."""
    labels = category_labels(record.category)
    fields, text = record.fields, f"{record.title} {record.description}".lower()
    departments = [name for name in ("Women", "Men") if f"/{name}/" in fields["categories"]]
    if len(departments) == 1:
        labels["gender"] = (departments[0].lower(),)
    if pattern := PATTERNS.get(fields.get("pattern", "")):
        labels["pattern"] = (pattern,)
    said = html.unescape(fields.get("material", "")).lower()
    if materials := {name for word, name in MATERIALS.items() if word in said}:
        labels["material"] = tuple(sorted(materials))
    styles = html.unescape(fields.get("style_general") or fields.get("style_bottom", ""))
    if styles:
        labels["style"] = tuple(sorted(style.lower() for style in styles.split("|")))
    if "long-sleeve" in text:
        labels["sleeves"] = ("long",)
    elif "short-sleeve" in text:
        labels["sleeves"] = ("short",)
    if "capri" in text and record.category != "shorts":
        labels["length"] = ("cropped",)
    necklines = {name for word, name in _NECKLINES.items() if re.search(word, text)}
    if len(necklines) == 1 and slot_of(record.category or "") in ("top", "outer"):
        labels["neckline"] = (necklines.pop(),)
    return labels


def _ccp_crops(fill: tuple[int, int, int]) -> Iterator[LabelledCrop]:
    ccp, held_out, seen = read_ccp(), read_validation_ids(), SeenKinds("ccp")
    for photo in tqdm(ccp.masked(), desc="ccp", unit="photo"):
        pixels = read_photo(photo.path).pixels
        shown = small(pixels)
        for garment in ccp.garments(photo):
            kind = seen.category(photo.id, garment.category)
            labels = category_labels(kind) | slot_label(garment.slot)
            whole = Garments.whole_photo(garment.mask.shape, garment.slot, garment.mask)
            labels |= _measured_colour(pixels, whole)
            crop = small(crop_of(pixels, whole, fill))
            group, is_held_out = f"ccp {photo.id}", photo.id in held_out
            yield LabelledCrop(crop, shown, labels, "ccp", group, is_held_out)


def _clothing_crops(fill: tuple[int, int, int], detector: Detector) -> Iterator[LabelledCrop]:
    seen = SeenKinds("clothing")
    for each, category in tqdm(photos_of_garments(), desc="clothing", unit="photo"):
        photo = read_photo(each.path)
        one = chosen_garment(detector, photo, slot_of(category))
        labels = category_labels(seen.category(each.id, each.label)) | slot_label(slot_of(category))
        labels |= _measured_colour(photo.pixels, one)
        crop, shown = small(crop_of(photo.pixels, one, fill)), small(photo.pixels)
        group = f"clothing {each.id}"
        yield LabelledCrop(crop, shown, labels, "clothing", group, each.is_held_out)


def _shop_crops(fill: tuple[int, int, int], detector: Detector) -> Iterator[LabelledCrop]:
    seen = SeenKinds("shops")
    for each in tqdm(shop_photos(), desc="shops", unit="photo"):
        if each.slot is None:
            continue
        photo = read_photo(each.path)
        one = chosen_garment(detector, photo, each.slot)
        labels = category_labels(seen.category(each.group, each.product)) | slot_label(each.slot)
        labels |= _measured_colour(photo.pixels, one)
        crop, shown = small(crop_of(photo.pixels, one, fill)), small(photo.pixels)
        yield LabelledCrop(crop, shown, labels, "shops", each.group, each.is_held_out)


def _measured_colour(pixels: NDArray[np.uint8], whole: Garments) -> dict[str, tuple[str, ...]]:
    """Return the basic name of a garment's main colour, where one covers most of it.

    Of a whole photo nothing: its background would be measured too.
    """
    if whole.is_fallback and all(mask.all() for mask in whole.masks):
        return {}
    colours = palette(lab_of(pixels, whole), estimate_illuminant(pixels))
    if not colours or colours[0].share < MAIN_SHARE:
        return {}
    return {"colour": (str(basic_name(colours[0].name)),)}


def category_labels(category: str | None) -> dict[str, tuple[str, ...]]:
    """Return the attributes that a category implies, itself and its slot among them."""
    if category is None:
        return {}
    labels = slot_label(slot_of(category))
    if name := telling(category):
        labels["category"] = (name,)
        labels |= {"sleeves": (SLEEVES[name],)} if name in SLEEVES else {}
        labels |= {"length": (LENGTHS[name],)} if name in LENGTHS else {}
    return labels


def slot_label(slot: Slot) -> dict[str, tuple[str, ...]]:
    """Return the slot as a label; nothing of an unknown one."""
    return {} if slot == "unknown" else {"slot": (slot,)}


def small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (h, w, 3) with no side over `MAX_SIDE_PX`."""
    size = shrunk_size(pixels.shape, MAX_SIDE_PX)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
