"""Gather garments from the training sets, with their photos and labels.

Each view keeps the pixels around the garment and its mask apart, so that training can change the
background, as a segmenter that errs does. Nothing of a held-out photo is trained on; what is held
out is read too, and marked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.colour.histogram import pixels_in_mask
from indexer.colour.palette import palette
from indexer.description.foreground import foreground_mask
from indexer.garments import Slot
from indexer.images.photo import Photo, read_photo
from indexer.models.detection.segmenter import Segmenter
from indexer.models.encoder import MARGIN
from indexer.vocabulary.categories import find_category, slot_of, telling
from indexer.vocabulary.colour_terms import canonical_name
from training.checkpoints import save_beside
from training.data.ccp import SLOT_OF_LABEL, read_ccp, read_validation_ids, skirts_corrected
from training.data.clothing import photos_of_garments
from training.data.cut_outs import bundled_segmenter, chosen_garment, shrunk_size
from training.data.luma import is_test_sku, luma_photos, luma_records, tenth_of_sku
from training.sample_shop import draw_look
from training.sample_shop.picture import TAILORS
from training.segmenter.drawn import random_look

MAX_SIDE_PX = 256  # views are kept in memory; none is looked at much larger than this
SECOND_COLOUR = 0.25  # share of the pixels above which a second colour is part of the name
SURE = 0.5  # confidence above which an unlabelled street photo's garment is worth learning from
DRAWN_SEED = 5_000_000  # no picture of the sample shop itself is drawn from here on
VALIDATION_TENTH = 5  # of Luma's trained-on skus, by their hash: choices are made on these


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One photo of a garment: RGB (h, w, 3) with a margin, and where the garment is (h, w)."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a garment; None where a set does not say."""

    slot: Slot
    category: str | None = None
    colours: tuple[str, ...] = ()
    pattern: str | None = None
    gender: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Garment:
    """One garment with its views: several of a product in one colour, else one or two.

    `part` is train, validation or test.
    """

    name: str
    views: tuple[View, ...]
    facts: Facts
    part: str

    @property
    def is_product(self) -> bool:
        """Whether it was photographed more than once."""
        return self.name.startswith("luma")


def read_garments(cache: Path) -> list[Garment]:
    """Read all sets, from the cache when it is there. Takes ten minutes the first time."""
    if cache.is_file():
        loaded: list[Garment] = torch.load(cache, weights_only=False)
        return loaded
    detector = bundled_segmenter()
    garments = [
        *luma_garments(detector),
        *ccp_garments(),
        *tagged_garments(detector),
        *clothing_garments(detector),
        *drawn_garments(600),
    ]
    cache.parent.mkdir(parents=True, exist_ok=True)
    save_beside(garments, cache)
    return garments


def luma_garments(detector: Segmenter) -> Iterator[Garment]:
    """Cut out what the engine itself would: the garment that the shop names."""
    records = luma_records()
    views: dict[tuple[str, str], list[View]] = {}
    slots: dict[tuple[str, str], Slot] = {}
    photos = sorted(luma_photos(), key=lambda photo: photo.view != "main")  # it comes first
    for each in tqdm(photos, desc="luma", unit="photo"):
        key = (each.sku, each.colour)
        views.setdefault(key, []).append(chosen_view(detector, read_photo(each.path), each.slot))
        slots[key] = each.slot
    for (sku, colour), seen in views.items():
        record = records[sku.lower()]
        category = telling(find_category(record.title))
        patterns = record.fields.get("pattern", "")
        facts = Facts(
            slot_of(category) if category else slots[sku, colour],
            category,
            tuple(dict.fromkeys((canonical_name(colour) or colour, *colours_of(seen[0])))),
            patterns.lower() or None,
            "men" if sku.lower().startswith("m") else "women",
        )
        yield Garment(f"luma-{sku}-{colour}", tuple(seen), facts, luma_part(sku))


def luma_part(sku: str) -> str:
    """Say which part of the split a sku is in."""
    if is_test_sku(sku):
        return "test"
    return "validation" if tenth_of_sku(sku) == VALIDATION_TENTH else "train"


def ccp_garments() -> Iterator[Garment]:
    """Yield the garments of Clothing Co-Parsing, cut out by their true masks."""
    ccp, held_out = read_ccp(), read_validation_ids()
    for photo in tqdm(ccp.masked(), desc="ccp", unit="photo"):
        pixels = read_photo(photo.path).pixels
        for n, worn in enumerate(skirts_corrected(ccp.garments(photo))):
            view = cut(pixels, worn.mask)
            facts = Facts(worn.slot, telling(find_category(worn.category)), colours_of(view))
            part = "validation" if photo.id in held_out else "train"
            yield Garment(f"ccp-{photo.id}-{n}", (view,), facts, part)


def tagged_garments(detector: Segmenter) -> Iterator[Garment]:
    """Yield surely found garments of CCP's photos without masks; tags name them where they can."""
    unmasked = [photo for photo in read_ccp().photos if photo.mask_path is None]
    for photo in tqdm(unmasked, desc="ccp, tags", unit="photo"):
        read = read_photo(photo.path)
        (found,) = detector.detect([read])
        for i, slot in enumerate(found.slot):
            tags = [tag for tag in photo.tags if SLOT_OF_LABEL.get(tag) == slot]
            if found.confidence[i] >= SURE and tags:
                view = cut(read.pixels, found.full_mask(i))
                category = telling(find_category(tags[0])) if len(tags) == 1 else None
                facts = Facts(slot, category, colours_of(view))
                yield Garment(f"tagged-{photo.id}-{i}", (view,), facts, "train")


def clothing_garments(detector: Segmenter) -> Iterator[Garment]:
    """Yield the clothing set: the engine's own cut, and that of a plain background."""
    for each, category in tqdm(photos_of_garments(), desc="clothing", unit="photo"):
        photo = read_photo(each.path)
        views = [chosen_view(detector, photo, slot_of(category))]
        plain = foreground_mask(photo.pixels)
        if plain is not None:
            views.append(cut(photo.pixels, plain))
        facts = Facts(slot_of(category), telling(category), colours_of(views[-1]))
        part = "validation" if each.is_held_out else "train"
        yield Garment(f"clothing-{each.id}", tuple(views), facts, part)


def drawn_garments(n: int) -> Iterator[Garment]:
    """Draw garments with other seeds than the sample shop's: they know pattern and colour."""
    random = Random(DRAWN_SEED)
    for i in tqdm(range(n), desc="drawn", unit="garment"):
        look = random_look(random, TAILORS)
        views = []
        for kind in ("worn", "flat"):
            drawn = draw_look(look, kind, DRAWN_SEED + random.getrandbits(18))
            main = next((worn for worn in drawn.worn if worn.category == look.category), None)
            if main is not None and main.mask.any():
                views.append(cut(drawn.pixels, main.mask))
        named = find_category(look.category) or look.category
        facts = Facts(slot_of(named), telling(named), (look.colour,), look.pattern)
        if views:
            yield Garment(f"drawn-{i}", tuple(views), facts, "train")


def chosen_view(detector: Segmenter, photo: Photo, slot: Slot) -> View:
    """Cut out the garment that the engine would index for this slot."""
    return cut(photo.pixels, chosen_garment(detector, photo, slot).full_mask(0))


def cut(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> View:
    """Cut a garment out with a margin, small enough to keep thousands in memory."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y1, y2, x1, x2 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    dy, dx = round(MARGIN * (y2 - y1)), round(MARGIN * (x2 - x1))
    box = np.s_[max(0, y1 - dy) : y2 + dy, max(0, x1 - dx) : x2 + dx]
    crop, inside = pixels[box], mask[box].astype(np.uint8)
    size = shrunk_size(crop.shape, MAX_SIDE_PX)
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    small_mask = cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST) > 0
    return View(np.asarray(small, np.uint8), np.asarray(small_mask, np.bool_))


def colours_of(view: View) -> tuple[str, ...]:
    """Name a view's main colour, and a second that covers a quarter of it."""
    found = palette(pixels_in_mask(view.pixels, view.mask))
    return tuple(c.name for i, c in enumerate(found[:2]) if i == 0 or c.share >= SECOND_COLOUR)
