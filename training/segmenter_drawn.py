"""A seed in, drawn pictures of the sample shop's generator with their garments out.

Street photos hold neither clothes lying flat nor drawn people; the sample shop holds nothing else.
"""

from random import Random

from indexer.sample import VIEWS, Look, draw_look
from indexer.sample.palette import COLOURS
from indexer.sample.patterns import PATTERNS
from indexer.sample.picture import TAILORS
from training.ccp import WornGarment, without_specks
from training.segmenter_dataset import Example

# The shop itself is drawn with small seeds: no picture of its own is ever drawn from these on.
TRAINING_SEED = 1_000_000
VALIDATION_SEED = 2_000_000
# A top in CCP, an outer garment in the drawings: it would teach both.
AMBIGUOUS = frozenset({"cardigan"})


def drawn_examples(n: int, seed: int) -> list[Example]:
    """Draw n pictures of random garments, worn and flat; the next seed gives n others."""
    random = Random(seed)
    examples: list[Example] = []
    while len(examples) < n:
        drawn = draw_look(_random_look(random), random.choice(VIEWS), seed + random.getrandbits(18))
        if AMBIGUOUS.isdisjoint(garment.category for garment in drawn.worn):
            seen = [WornGarment(g.slot, g.category, without_specks(g.mask)) for g in drawn.worn]
            garments = [garment for garment in seen if garment.mask.any()]
            examples.append(Example(f"drawn-{seed}-{len(examples)}", drawn.pixels, garments))
    return examples


def _random_look(random: Random) -> Look:
    category = random.choice(sorted(TAILORS.keys() - AMBIGUOUS))
    denim = category in ("jeans", "denim jacket")
    return Look(
        category,
        random.choice(sorted(COLOURS)),
        "denim" if denim else random.choice(sorted(PATTERNS)),
        random.getrandbits(20),
        feminine=category in ("skirt", "leggings", "blouse", "dress", "maxi dress")
        or random.random() < 0.5,
    )
