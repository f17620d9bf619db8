"""Gather all pictures that a training is asked for; none of them is held out.

Held out are CCP's validation photos, a tenth of the clothing set, and the shop's test skus.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from training.data.ccp import CLOTHES, read_ccp
from training.data.clothing import clothing_photos
from training.data.luma import luma_photos
from training.data.shops import shop_photos
from training.segmenter import composites
from training.segmenter.close_ups import close_ups
from training.segmenter.dataset import Example, ccp_examples, write_dataset
from training.segmenter.drawn import TRAINING_SEED, drawn_examples
from training.segmenter.flat_lays import accessory_examples, flat_lay_examples
from training.segmenter.flat_lays_cc0 import clothing_examples
from training.segmenter.packshots import nobody_examples, packshot_examples
from training.segmenter.teacher import Teacher, shop_examples, tagged_examples

LONE_SIZE = 320  # of the teacher's square: a lone garment is large in its photo


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many pictures of each kind; photos with masks and of a shop are shown `trusted_times`.

    With a `teacher` (a bundle), photos without masks are learnt from, too, and `flat_lays`. For
    garments `lone`, of nobody, those are the clothing set, packshots and photos of no garment.
    """

    seed: int
    trusted_times: int
    close_ups: int
    composites: int
    drawn: int
    flat_lays: int
    teacher: Path | None
    lone: bool = False
    clothing: int = 10_000  # photos of the clothing set, at most
    accessories: int = 0


def write_pictures(folder: Path, mixture: Mixture) -> Path:
    """Write the pictures and their labels under `folder`; return ultralytics' yaml of them."""
    if mixture.flat_lays and mixture.teacher is None:
        raise ValueError("flat lays need the outlines that a teacher finds; give --teacher BUNDLE")
    ccp = read_ccp()
    masked, held_out = ccp_examples(ccp)
    random = Random(mixture.seed)
    examples = masked + close_ups(masked, mixture.close_ups, random)
    seed = composites.TRAINING_SEED + mixture.seed
    examples += composites.scene_examples(mixture.composites, seed, ccp=ccp)
    examples += drawn_examples(mixture.drawn, TRAINING_SEED + mixture.seed)
    if mixture.teacher is not None:
        if mixture.lone:
            examples += _lone(mixture, Teacher(mixture.teacher, LONE_SIZE), random)
        else:
            examples += _taught(Teacher(mixture.teacher), mixture.flat_lays, random)
    examples += accessory_examples(ccp, masked, mixture.accessories, random)
    return write_dataset(folder, examples, held_out, mixture.seed, mixture.trusted_times)


def _taught(teacher: Teacher, n_flat_lays: int, random: Random) -> list[Example]:
    ccp = read_ccp()
    tagged = list(tagged_examples(ccp, teacher))
    shop = [photo for photo in luma_photos() if not photo.is_test]
    sold = list(shop_examples(shop, teacher))
    photographed = [photo for photo in clothing_photos() if not photo.is_held_out]
    clothing = list(clothing_examples(photographed, teacher))
    print(
        f"taught: {len(tagged)} tagged street photos, {len(sold)} of {len(shop)} shop photos, "
        f"{len(clothing)} of {len(photographed)} clothing photos"
    )
    return tagged + sold + clothing + flat_lay_examples(ccp, clothing, n_flat_lays, random)


def _lone(mixture: Mixture, teacher: Teacher, random: Random) -> list[Example]:
    photographed = [photo for photo in clothing_photos() if not photo.is_held_out]
    # All of what is rare, and as many of the others as are asked for.
    photographed.sort(key=lambda photo: (photo.slot in CLOTHES, random.random()))
    photographed = photographed[: mixture.clothing]
    clothing = list(clothing_examples(photographed, teacher))
    packshots = list(packshot_examples(shop_photos()))
    nobody = nobody_examples()
    print(
        f"taught: {len(clothing)} of {len(photographed)} clothing photos, {len(packshots)} "
        f"packshots, {len(nobody)} photos of nobody"
    )
    lone = clothing + packshots
    return lone + nobody + flat_lay_examples(read_ccp(), lone, mixture.flat_lays, random)
