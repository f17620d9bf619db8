"""Photos in, described garments out: the one pipeline that queries and the catalogue share.

detect -> choose -> cut out -> embed -> attributes -> colours -> fuse
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from indexer.categories import is_general, slot_of
from indexer.colour import PaletteColour, colour_histogram, palette, pixels_in_mask
from indexer.embedding import cut_out
from indexer.features import Layout
from indexer.foreground import foreground_mask
from indexer.garments import Garments, Slot
from indexer.light import estimate_light
from indexer.models import Models
from indexer.photo import Photo

# Where to look next when the detector names a feed's garment otherwise: a zipped jacket is often
# seen as a top, a long shirt as a dress. A bottom is never mistaken for anything but a dress.
NEXT_SLOTS: Mapping[Slot, tuple[Slot, ...]] = {
    "top": ("top", "outer", "dress"),
    "outer": ("outer", "top", "dress"),
    "dress": ("dress", "top", "outer"),
    "bottom": ("bottom", "dress"),
}
# Of the photo: measured on the Luma tuning skus, where 0 and 0.05 lost three points of recall_at_1.
FAINT_SHARE = 0.1
# Of the largest garment it could be: less is the lining of a hood or a collar, not the product.
# Luma's hooded jackets show 7 %; tops seen under coats in CCP's training photos rarely so little.
SLIVER_SHARE = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class DescribedGarment:
    """One garment with all that is known of it.

    `vector` is the fused vector (dim,) of unit parts.
    """

    image_hw: tuple[int, int]
    xyxy: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    slot: Slot
    category: str
    confidence: float
    is_fallback: bool
    vector: NDArray[np.float32]
    palette: tuple[PaletteColour, ...]
    attributes: Mapping[str, Mapping[str, float]]


@dataclass(slots=True)
class Describer:
    """Describes photos with one set of models, and counts the seconds each stage took."""

    models: Models
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """How long each part of a fused vector is."""
        return self.models.layout

    def describe(
        self, photos: Sequence[Photo], wanted: Sequence[Slot | None] | None = None
    ) -> list[list[DescribedGarment]]:
        """Return each photo's garments; where a slot is wanted, the one garment that fills it.

        A photo in which nothing (or not the wanted slot) is found gives itself, whole, as one
        garment with `is_fallback`.
        """
        with self._timed("detect"):
            unique = {id(photo): photo for photo in photos}  # several slots may be wanted in one
            seen = self.models.detector.detect(list(unique.values()))
            of_photo = dict(zip(unique, seen, strict=True))
            found = [of_photo[id(photo)] for photo in photos]
        slots = wanted or [None] * len(photos)
        chosen = [
            choose_garments(photo, garments, slot, self.models.detector.confidence)
            for photo, garments, slot in zip(photos, found, slots, strict=True)
        ]
        pairs = [
            (photo, garments, i)
            for photo, garments in zip(photos, chosen, strict=True)
            for i in range(len(garments))
        ]
        described = iter(self._describe_garments(pairs))
        return [[next(described) for _ in range(len(garments))] for garments in chosen]

    def _describe_garments(
        self, pairs: Sequence[tuple[Photo, Garments, int]]
    ) -> list[DescribedGarment]:
        if not pairs:
            return []
        models = self.models
        with self._timed("embed"):
            crops = [
                cut_out(photo.pixels, g.xyxy[i], g.masks[i], models.encoder.fill)
                for photo, g, i in pairs
            ]
            embeddings = models.encoder.embed(crops)  # (n, d)
        with self._timed("attributes"):
            scores = models.heads.scores(embeddings)
            attributes = models.heads.unit_part(
                scores, [g.slot[i] for _, g, i in pairs]
            )  # (n, labels)
        with self._timed("colour"):
            colours, palettes = _colours(pairs)
        vectors = self.layout.fuse(
            {"visual": embeddings, "colour": colours, "attributes": attributes}
        )
        return [
            DescribedGarment(
                g.image_hw,
                _box(g, i),
                g.masks[i],
                g.slot[i],
                self._category(g, i, scores, row),
                float(g.confidence[i]),
                g.is_fallback,
                vectors[row],
                palettes[row],
                models.heads.labelled(scores, row, g.slot[i]),
            )
            for row, (_, g, i) in enumerate(pairs)
        ]

    def _category(
        self, g: Garments, i: int, scores: Mapping[str, NDArray[np.float32]], row: int
    ) -> str:
        if slot_of(g.category[i]) == g.slot[i] and not is_general(g.category[i]):
            return g.category[i]  # the detector knows more than the slot
        return self.models.heads.likeliest_category(scores, row, g.slot[i])

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def choose_garments(
    photo: Photo, found: Garments, wanted: Slot | None, confidence: float
) -> Garments:
    """Keep the garments surely found, or the one that a feed's slot means: large and sure.

    A faint find is believed where a feed says it is there, if it is large: a product fills its own
    photo, and a close-up shows faint specks of anything.
    """
    sure = found.confidence >= confidence
    if wanted is None or wanted == "unknown":
        kept = found.select(np.flatnonzero(sure).tolist())
        return kept if len(kept) else _fallback(photo, "unknown")
    areas = np.array([mask.sum() for mask in found.masks])
    believed = sure | (areas >= FAINT_SHARE * photo.pixels.shape[0] * photo.pixels.shape[1])
    possible = [i for i in np.flatnonzero(believed) if found.slot[i] in NEXT_SLOTS[wanted]]
    largest = max((areas[i] for i in possible), default=0)
    for slot in NEXT_SLOTS[wanted]:
        rows = [i for i in possible if found.slot[i] == slot and areas[i] >= SLIVER_SHARE * largest]
        if rows:
            best = max(rows, key=lambda i: found.confidence[i] * areas[i] ** 0.5)
            return replace(found.select([int(best)]), slot=(wanted,))
    return _fallback(photo, wanted)


def _fallback(photo: Photo, slot: Slot) -> Garments:
    return Garments.whole_photo(photo.image_hw, slot, foreground_mask(photo.pixels))


def _colours(
    pairs: Sequence[tuple[Photo, Garments, int]],
) -> tuple[NDArray[np.float32], list[tuple[PaletteColour, ...]]]:
    """Return the garments' histograms (n, d) and palettes, named in their photos' light."""
    labs = [_garment_lab(photo, g, i) for photo, g, i in pairs]
    lights = {id(photo): estimate_light(photo.pixels) for photo, _, _ in pairs}
    palettes = [
        palette(lab, lights[id(photo)]) for lab, (photo, _, _) in zip(labs, pairs, strict=True)
    ]
    return np.stack([colour_histogram(lab) for lab in labs]), palettes


def _garment_lab(photo: Photo, garments: Garments, i: int) -> NDArray[np.float32]:
    x1, y1, x2, y2 = _box(garments, i)
    return pixels_in_mask(photo.pixels[y1:y2, x1:x2], garments.masks[i])


def _box(garments: Garments, i: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = garments.xyxy[i].tolist()
    return x1, y1, x2, y2
