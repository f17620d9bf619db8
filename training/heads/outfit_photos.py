"""Gather what people wear together in CCP's photos, as Lapel itself finds it.

Photos with masks and without: a garment's mask is the detector's, as in a catalogue's photo. One
person a photo, and of each slot the garment that was found best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.description.describe import DescribedGarment, Describer
from indexer.errors import PhotoError
from indexer.fused_vector import Layout
from indexer.garments import WORN_SLOTS, Slot
from indexer.images.photo import read_photo
from indexer.models.loading import load_models
from indexer.settings import Settings
from training.data.ccp import CcpPhoto, read_ccp, read_validation_ids
from training.data.location import tenth_of

PHOTOS_AT_ONCE = 8
# The set has some photos twice, in other light or cut otherwise: these show 0025 and 1341, which
# are held out. Small grey pictures of no other pair on both sides correlate by more than 0.9.
SEEN_AGAIN = frozenset({"1707", "1029"})
LEAST_PAIRS = 10  # to learn from: two in each of five folds
HELD_OUT_TENTH = 0  # of the photos without masks, of which `ccp_validation.txt` says nothing


@dataclass(frozen=True, slots=True, eq=False)
class Wardrobe:
    """The garments (n) of all photos: what is known of each, in rows.

    `photo` names the photo a garment is worn in, `vectors` (n, dim) are fused, and `colour` is the
    palette's first name. `held_out` is true for the photos that nothing is learned from.
    """

    fingerprint: str
    photo: NDArray[np.str_]
    slot: NDArray[np.str_]
    category: NDArray[np.str_]
    colour: NDArray[np.str_]
    held_out: NDArray[np.bool_]
    vectors: NDArray[np.float32]

    def pairs(self, from_slot: Slot, to_slot: Slot, held_out: bool) -> NDArray[np.int64]:
        """Return rows (m, 2) of garments of these slots that one person wears, by photo."""
        chosen = self.held_out == held_out
        of_slot = [
            {str(self.photo[row]): row for row in np.flatnonzero(chosen & (self.slot == slot))}
            for slot in (from_slot, to_slot)
        ]
        both = sorted(of_slot[0].keys() & of_slot[1].keys())
        return np.array([[each[name] for each in of_slot] for name in both], np.int64).reshape(
            -1, 2
        )

    def training_pairs(self, from_slot: Slot, to_slot: Slot) -> NDArray[np.int64]:
        """Return the pairs that may be learned from. Raises ValueError when they are too few."""
        pairs = self.pairs(from_slot, to_slot, held_out=False)
        if len(pairs) < LEAST_PAIRS:
            raise ValueError(
                f"{len(pairs)} photos to learn from show both {from_slot} and {to_slot}, at "
                f"least {LEAST_PAIRS} are needed; is the ccp set whole?"
            )
        return pairs

    def save(self, path: Path) -> None:
        """Keep it in a file, as precise as it is: the same is learned from it."""
        arrays = {name: getattr(self, name) for name in self.__slots__ if name != "fingerprint"}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:  # to a mere path `.npz` would be added, and it never found
            np.savez_compressed(file, fingerprint=self.fingerprint, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Wardrobe":
        """Return what was kept."""
        with np.load(path) as kept:
            rest = {name: kept[name] for name in cls.__slots__ if name != "fingerprint"}
            return cls(str(kept["fingerprint"]), **rest)


def read_wardrobe(kept: Path | None = None) -> tuple[Wardrobe, Layout]:
    """Describe all photos of CCP, or read what was kept of them by the same models."""
    describer = Describer(load_models(Settings()))
    if kept is not None and kept.is_file():
        wardrobe = Wardrobe.load(kept)
        if wardrobe.fingerprint == describer.models.fingerprint:
            return wardrobe, describer.layout
    photos = [photo for photo in read_ccp().photos if photo.id not in SEEN_AGAIN]
    wardrobe = _describe(describer, photos)
    if kept is not None:
        wardrobe.save(kept)
    return wardrobe, describer.layout


def is_held_out(photo: CcpPhoto, validation: frozenset[str]) -> bool:
    """Tell whether nothing may be learned from a photo."""
    if photo.mask_path is not None:
        return photo.id in validation
    return tenth_of(photo.id) == HELD_OUT_TENTH


def _describe(describer: Describer, photos: Sequence[CcpPhoto]) -> Wardrobe:
    validation = read_validation_ids()
    found: list[tuple[CcpPhoto, DescribedGarment]] = []
    with tqdm(total=len(photos), desc="ccp", unit="photo") as bar:
        for start in range(0, len(photos), PHOTOS_AT_ONCE):
            some, decoded = [], []
            for photo in photos[start : start + PHOTOS_AT_ONCE]:
                bar.update()
                try:
                    decoded.append(read_photo(photo.path))
                except PhotoError:  # one of the set's files is broken
                    continue
                some.append(photo)
            for photo, garments in zip(some, describer.describe(decoded), strict=True):
                found += [(photo, each) for each in best_of_slots(garments)]
    return Wardrobe(
        describer.models.fingerprint,
        np.array([photo.id for photo, _ in found], np.str_),
        np.array([each.slot for _, each in found], np.str_),
        np.array([each.category for _, each in found], np.str_),
        np.array([each.palette[0].name if each.palette else "" for _, each in found], np.str_),
        np.array([is_held_out(photo, validation) for photo, _ in found], np.bool_),
        np.array([each.vector for _, each in found], np.float32).reshape(-1, describer.layout.dim),
    )


def best_of_slots(garments: Iterable[DescribedGarment]) -> list[DescribedGarment]:
    """Return of each slot the garment that is largest and surest; none of a whole photo."""
    best: dict[str, DescribedGarment] = {}
    for each in sorted(garments, key=lambda g: g.confidence * float(g.mask.sum()) ** 0.5):
        if each.slot in WORN_SLOTS and not each.is_fallback:
            best[each.slot] = each
    return list(best.values())
