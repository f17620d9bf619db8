"""Describe the garments of photos: the one pipeline that queries and the catalogue share.

detect -> choose -> cut out -> embed -> attributes -> colours -> fuse
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from indexer.colour.histogram import colour_histogram, pixels_in_mask
from indexer.colour.illuminant import estimate_illuminant
from indexer.colour.palette import PaletteColour, palette
from indexer.description.garment_choice import choose_garments
from indexer.description.garment_target import Target
from indexer.errors import TextTowerUntrained
from indexer.fused_vector import Layout, check_finite
from indexer.garments import Garments, Person, Slot
from indexer.images.photo import Photo
from indexer.models.encoder import cut_out
from indexer.models.loading import Models
from indexer.system.parallel import Made, Other, run_both
from indexer.system.stopwatch import Stopwatch
from indexer.vocabulary.categories import is_general, slot_of


@dataclass(frozen=True, slots=True, eq=False)
class DescribedGarment:
    """One garment with all that is known of it.

    `vector` is the fused vector (dim,) of unit parts. `xyxy` and `mask` are in the pixels that were
    looked at, `image_hw` of them; the photo itself may be larger, `photo_hw`. `people` are all of
    the photo, the main one first, in the same pixels; `person` is the place of the one who wears
    it, None for a garment on nobody.
    """

    photo_hw: tuple[int, int]
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
    person: int | None = None
    people: tuple[Person, ...] = ()


@dataclass(slots=True)
class Describer:
    """Describes photos with one set of models, and counts the seconds each stage took.

    Several threads may ask it, `at_once` to use the machine well.
    """

    models: Models
    watch: Stopwatch = field(default_factory=Stopwatch)
    at_once: int = 1

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds that each stage took, since the beginning."""
        return self.watch.seconds

    @property
    def layout(self) -> Layout:
        """How long each part of a fused vector is."""
        return self.models.layout

    def describe(
        self, photos: Sequence[Photo], wanted: Sequence[Target] | None = None
    ) -> list[list[DescribedGarment]]:
        """Return each photo's garments; where one is wanted, the one of that slot or place.

        A photo in which nothing (or not the wanted slot) is found gives itself, whole, as one
        garment with `is_fallback`.
        """
        with self.watch.timed("detect"):
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

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the text tower's unit rows (n, d). Raises TextTowerUntrained."""
        encoder = self.models.encoder
        if not encoder.speaks_text:
            raise TextTowerUntrained("the encoder was never taught text")
        return check_finite(encoder.embed_text(texts))

    def _describe_garments(
        self, pairs: Sequence[tuple[Photo, Garments, int]]
    ) -> list[DescribedGarment]:
        if not pairs:
            return []
        models = self.models
        embed, colour = partial(self._embed, pairs), partial(self._read_colours, pairs)
        # Who is alone has all cores, and a network leaves some of them idle.
        at_once = run_both if self.at_once == 1 else _in_turn
        embeddings, (colours, palettes) = at_once(embed, colour)
        with self.watch.timed("attributes"):
            scores = models.heads.scores(embeddings)
            attributes = models.heads.unit_part(
                scores, [g.slot[i] for _, g, i in pairs]
            )  # (n, labels)
        vectors = self.layout.fuse(
            {"visual": embeddings, "colour": colours, "attributes": attributes}
        )
        return [
            DescribedGarment(
                photo.photo_hw,
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
                g.person[i],
                g.people,
            )
            for row, (photo, g, i) in enumerate(pairs)
        ]

    def _embed(self, pairs: Sequence[tuple[Photo, Garments, int]]) -> NDArray[np.float32]:
        """Return the garments' unit embeddings (n, d)."""
        encoder = self.models.encoder
        with self.watch.timed("embed"):
            crops = [
                cut_out(photo.pixels, g.xyxy[i], g.masks[i], encoder.fill) for photo, g, i in pairs
            ]
            return check_finite(encoder.embed(crops))

    def _read_colours(
        self, pairs: Sequence[tuple[Photo, Garments, int]]
    ) -> tuple[NDArray[np.float32], list[tuple[PaletteColour, ...]]]:
        """Return the garments' histograms (n, d) and palettes, named in their photos' light."""
        with self.watch.timed("colour"):
            labs = [_garment_lab(photo, g, i) for photo, g, i in pairs]
            photos = {id(photo): photo for photo, _, _ in pairs}  # each once, of all its garments
            lights = {name: estimate_illuminant(photo.pixels) for name, photo in photos.items()}
            palettes = [
                palette(lab, lights[id(photo)])
                for lab, (photo, _, _) in zip(labs, pairs, strict=True)
            ]
            return np.stack([colour_histogram(lab) for lab in labs]), palettes

    def _category(
        self, g: Garments, i: int, scores: Mapping[str, NDArray[np.float32]], row: int
    ) -> str:
        if slot_of(g.category[i]) == g.slot[i] and not is_general(g.category[i]):
            return g.category[i]  # the detector knows more than the slot
        return self.models.heads.likeliest_category(scores, row, g.slot[i])


def _in_turn(first: Callable[[], Made], second: Callable[[], Other]) -> tuple[Made, Other]:
    return first(), second()


def _garment_lab(photo: Photo, garments: Garments, i: int) -> NDArray[np.float32]:
    x1, y1, x2, y2 = _box(garments, i)
    return pixels_in_mask(photo.pixels[y1:y2, x1:x2], garments.masks[i])


def _box(garments: Garments, i: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = garments.xyxy[i].tolist()
    return x1, y1, x2, y2
