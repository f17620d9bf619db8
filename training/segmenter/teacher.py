"""Label photos without masks by a trained segmenter.

What a set says of a photo decides what its garments are called, the segmenter only where they are
(self-training with the labels that exist: Lee, "Pseudo-Label", ICML workshop 2013). A photo in
which the two cannot be brought together is left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.garments import Slot
from indexer.images.photo import Photo, read_photo
from indexer.inference.runtime import Runtime
from indexer.models.detection.segmenter import Segmenter
from training.data.ccp import CLOTHES, SLOT_OF_LABEL, Ccp, CcpPhoto, WornGarment, without_specks
from training.data.luma import LumaPhoto
from training.segmenter.dataset import Example
from training.segmenter.mask_matching import iou

# A square of 416 px finds more small garments than the 320 px the first teacher was trained at.
TEACHER_SIZE = 416
# Believed where a tag or a shop says that the slot is there: a third of them are right at this.
TOLD = 0.12
# Believed although nobody says so: what is worn beside a shop's product.
UNTOLD = 0.4
SAME_PLACE = 0.5  # IoU of a find and its counterpart in the mirrored photo
# A label of the set where the teacher sees the other: a coat seen as a top, a dress as a skirt.
CONFUSED: Mapping[Slot, tuple[Slot, ...]] = {
    "top": ("outer", "dress"),
    "outer": ("top", "dress"),
    "dress": ("bottom", "top", "outer"),
    "bottom": ("dress",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Find:
    """One garment the teacher sees: its mask (h, w) in the photo's size."""

    slot: Slot
    confidence: float
    mask: NDArray[np.bool_]


class Teacher:
    """A bundled segmenter that looks at a photo and at its mirror image."""

    def __init__(self, bundle: Path, image_size: int = TEACHER_SIZE) -> None:
        self._segmenter = Segmenter.load(bundle, Runtime.choose("cpu"))
        self._segmenter.settings = replace(self._segmenter.settings, image_size=image_size)

    def look(self, pixels: NDArray[np.uint8]) -> list[Find]:
        """Return the finds, surest first; one not seen in the mirror is half as sure."""
        mirrored = np.ascontiguousarray(pixels[:, ::-1])
        found, other = self._segmenter.detect([Photo(pixels, ""), Photo(mirrored, "")])
        flipped = [(other.slot[i], other.full_mask(i)[:, ::-1]) for i in range(len(other))]
        finds = []
        for i, slot in enumerate(found.slot):
            mask = found.full_mask(i)
            seen = any(s == slot and iou(m, mask) >= SAME_PLACE for s, m in flipped)
            doubt = 1.0 if seen else 0.5
            finds.append(Find(slot, float(found.confidence[i]) * doubt, mask))
        return sorted(finds, key=lambda find: -find.confidence)


def tagged_examples(ccp: Ccp, teacher: Teacher) -> Iterator[Example]:
    """Yield CCP's photos without masks in which all the tagged slots, and no others, are found."""
    for photo in tqdm([p for p in ccp.photos if p.mask_path is None], desc="tagged", unit="photo"):
        pixels = read_photo(photo.path).pixels
        garments = garments_as_tagged(photo, teacher.look(pixels))
        if garments:
            yield Example(f"tagged-{photo.id}", photo.path, garments)


def garments_as_tagged(photo: CcpPhoto, finds: Sequence[Find]) -> list[WornGarment]:
    """Choose the finds that a photo's tags speak of; none unless each tagged slot has one."""
    worn = (SLOT_OF_LABEL.get(tag) for tag in photo.tags)
    told = Counter(slot for slot in worn if slot in CLOTHES)
    if told["dress"] and told["top"] and not told["bottom"]:
        # Three quarters of such "dresses" are skirts, see training.data.ccp.skirts_corrected.
        is_skirt = any(f.slot == "bottom" and f.confidence >= UNTOLD for f in finds)
        told = Counter({**told, "dress": 0, "bottom": 1}) if is_skirt else told
    chosen: list[WornGarment] = []
    for slot, count in sorted(told.items()):
        own = [f for f in finds if f.slot == slot and f.confidence >= TOLD][:count]
        others = CONFUSED[slot] if count else ()
        for other in (other for other in others if not told[other] and not own):
            own = [f for f in finds if f.slot == other and f.confidence >= TOLD][:1]
        if count and not own:
            return []
        chosen += [WornGarment(slot, slot, without_specks(find.mask)) for find in own]
    return [garment for garment in chosen if garment.mask.any()]


def shop_examples(photos: Sequence[LumaPhoto], teacher: Teacher) -> Iterator[Example]:
    """Yield a shop's photos of which the product, and what else is surely worn, is found."""
    for photo in tqdm(photos, desc="shop", unit="photo"):
        pixels = read_photo(photo.path).pixels
        told: Slot = "outer" if is_jacket(photo.sku) else photo.slot
        garments = garments_as_sold(told, teacher.look(pixels))
        if garments:
            yield Example(f"shop-{photo.path.stem}", photo.path, garments)


def is_jacket(sku: str) -> bool:
    """Tell by a Luma sku whether the product is a jacket: sold among tops, worn as outer."""
    return sku.lower().startswith(("mj", "wj"))


def garments_as_sold(told: Slot, finds: Sequence[Find]) -> list[WornGarment]:
    """Call the largest find that may be the product what it is; keep what is sure beside it."""
    may_be = [f for f in finds if f.slot in (told, *CONFUSED[told]) and f.confidence >= TOLD]
    if not may_be:
        return []
    product = max(may_be, key=lambda find: find.confidence * float(find.mask.sum()) ** 0.5)
    beside = [
        find
        for find in finds
        if find.confidence >= UNTOLD
        and find.slot != told
        and (find.mask & product.mask).sum() < 0.1 * find.mask.sum()
    ]
    garments = [
        WornGarment(slot, slot, without_specks(find.mask))
        for slot, find in [(told, product), *((find.slot, find) for find in beside)]
    ]
    return [garment for garment in garments if garment.mask.any()]
