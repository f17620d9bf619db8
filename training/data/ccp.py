"""Read the street photos of Clothing Co-Parsing and the garments worn in them.

Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014): its masks are semantic, one label a pixel. One
label in one photo is read as one garment: a shirt under an open coat stays one shirt.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.garments import Slot
from training.data.location import set_folder

LABELS_OF_SLOT: dict[Slot, tuple[str, ...]] = {
    "top": (
        *("blouse", "shirt", "t-shirt", "top", "sweater", "sweatshirt"),
        *("jumper", "cardigan", "hoodie", "vest", "bodysuit"),
    ),
    "bottom": ("pants", "jeans", "shorts", "skirt", "leggings"),
    "dress": ("dress", "romper"),
    "outer": ("coat", "jacket", "blazer", "cape", "suit"),
    "shoes": (
        *("shoes", "boots", "clogs", "flats", "heels", "loafers"),
        *("pumps", "sandals", "sneakers", "wedges"),
    ),
    "bag": ("bag", "purse", "wallet"),
    "headwear": ("hat",),
}
CLOTHES: tuple[Slot, ...] = ("top", "bottom", "dress", "outer")
SLOT_OF_LABEL: dict[str, Slot] = {
    label: slot for slot, labels in LABELS_OF_SLOT.items() for label in labels
}
# A collar under a coat is a garment; a stray blob of a few pixels is a slip of the hand.
# 0.3 % of a 576x384 photo is 660 pixels, a patch of 26x26.
SPECK_SHARE = 0.003
SMALL_SPECK_SHARE = 0.0006  # of shoes, bags and headwear
# From neck (0) to hem (1) of the top: real dresses start above 0.47, skirts below 0.61.
SKIRT_STARTS = 0.55
VALIDATION_SHARE = 0.10
VALIDATION_FILE = Path(__file__).parent / "splits" / "ccp_validation.txt"


@dataclass(frozen=True, slots=True)
class CcpPhoto:
    """One street photo: `mask_path` is None for the half that has none; `tags` are label names."""

    id: str
    path: Path
    mask_path: Path | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class WornGarment:
    """One garment in one photo: its slot, its finer label, its mask (h, w) in the photo's size."""

    slot: Slot
    category: str
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ccp:
    """The whole set: `labels` names the value of a mask's pixel, `photos` are ordered by id."""

    labels: tuple[str, ...]
    photos: tuple[CcpPhoto, ...]

    def masked(self) -> tuple[CcpPhoto, ...]:
        """Return the photos that have a mask, ordered by id."""
        return tuple(photo for photo in self.photos if photo.mask_path is not None)

    def garments(self, photo: CcpPhoto) -> list[WornGarment]:
        """Read the garments of a masked photo in the order of the labels; else raise ValueError."""
        values = self.values(photo)
        garments = []
        for value in np.unique(values):
            label = self.labels[int(value)]
            slot = SLOT_OF_LABEL.get(label)
            if slot is None:
                continue
            share = SPECK_SHARE if slot in CLOTHES else SMALL_SPECK_SHARE
            if (mask := without_specks(values == value, share)).any():
                garments.append(WornGarment(slot, label, mask))
        return garments

    def person(self, photo: CcpPhoto) -> NDArray[np.bool_]:
        """Read where a masked photo's person is (h, w), with all that is worn and carried."""
        return np.asarray(self.values(photo) > 0, np.bool_)

    def values(self, photo: CcpPhoto) -> NDArray[np.uint8]:
        """Read a masked photo's labels (h, w), each a place in `labels`; else raise ValueError."""
        if photo.mask_path is None:
            raise ValueError(f"photo {photo.id} has no mask; ask only those of masked()")
        values = cv2.imread(str(photo.mask_path), cv2.IMREAD_UNCHANGED)
        if values is None or values.ndim != 2 or int(values.max()) >= len(self.labels):
            raise ValueError(
                f"{photo.mask_path} is no mask of the {len(self.labels)} labels; fetch it again"
            )
        return np.asarray(values, np.uint8)


def read_ccp(folder: Path | None = None) -> Ccp:
    """List the photos of a CCP folder; by default the shared one.

    Raises FileNotFoundError when the set, or a photo it names, is not there.
    """
    folder = set_folder("ccp", "annotations.json", folder)
    content = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    photos = []
    for id_, tags in sorted(content["tags"].items()):
        path, mask_path = folder / "photos" / f"{id_}.jpg", folder / "masks" / f"{id_}.png"
        if not path.is_file():
            raise FileNotFoundError(f"annotations.json names photo {id_}, but {path} is missing")
        photos.append(CcpPhoto(id_, path, mask_path if mask_path.is_file() else None, tuple(tags)))
    return Ccp(tuple(content["labels"]), tuple(photos))


def without_specks(mask: NDArray[np.bool_], share: float = SPECK_SHARE) -> NDArray[np.bool_]:
    """Drop the connected parts of a mask that are smaller than a share of the photo."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= share * mask.size
    keep[0] = False  # part 0 is what is outside the mask
    kept: NDArray[np.bool_] = keep[parts]
    return kept


def skirts_corrected(garments: Sequence[WornGarment]) -> list[WornGarment]:
    """Call a `dress` that starts where the top ends what it is: a skirt.

    Of CCP's 89 training photos with a dress and a top this corrects 78, nearly all of them skirts.
    """
    rows = [np.nonzero(g.mask)[0] for g in garments if g.slot == "top"]
    if not rows:
        return list(garments)
    top_starts, top_ends = np.percentile(np.concatenate(rows), [5, 95])
    waist = top_starts + SKIRT_STARTS * (top_ends - top_starts)
    return [
        WornGarment("bottom", "skirt", garment.mask)
        if garment.slot == "dress" and np.percentile(np.nonzero(garment.mask)[0], 5) >= waist
        else garment
        for garment in garments
    ]


def choose_validation(ids: Iterable[str]) -> list[str]:
    """Choose a tenth of the ids by their sha256, so that it never depends on order or seed."""
    ranked = sorted(ids, key=lambda id_: hashlib.sha256(id_.encode()).hexdigest())
    return sorted(ranked[: round(len(ranked) * VALIDATION_SHARE)])


def read_validation_ids() -> frozenset[str]:
    """Read the ids of the photos that are never trained on."""
    return frozenset(VALIDATION_FILE.read_text(encoding="utf-8").split())
