"""Draw pictures by seed with the sample shop's generator, with the masks of their garments.

Street photos hold neither clothes lying flat nor drawn people; the sample shop holds nothing else.
"""

from collections.abc import Collection
from random import Random

from indexer.sample import VIEWS
from training.data.ccp import WornGarment, without_specks
from training.sample_shop import Look, draw_look
from training.sample_shop.palette import COLOURS
from training.sample_shop.patterns import PATTERNS
from training.sample_shop.picture import TAILORS
from training.segmenter.dataset import Example

# The shop itself is drawn with small seeds: no picture of its own is ever drawn from these on.
TRAINING_SEED = 1_000_000
VALIDATION_SEED = 2_000_000
# A top in CCP, an outer garment in the drawings: it would teach both.
AMBIGUOUS = frozenset({"cardigan"})
WOMENS = frozenset({"skirt", "leggings", "blouse", "dress", "maxi dress"})


def drawn_examples(n: int, seed: int) -> list[Example]:
    """Draw n pictures of random garments, worn and flat; the next seed gives n others."""
    random, kinds = Random(seed), TAILORS.keys() - AMBIGUOUS
    examples: list[Example] = []
    while len(examples) < n:
        look, view = random_look(random, kinds, WOMENS), random.choice(VIEWS)
        drawn = draw_look(look, view, seed + random.getrandbits(18))
        if AMBIGUOUS.isdisjoint(garment.category for garment in drawn.worn):
            seen = [WornGarment(g.slot, g.category, without_specks(g.mask)) for g in drawn.worn]
            garments = [garment for garment in seen if garment.mask.any()]
            examples.append(Example(f"drawn-{seed}-{len(examples)}", drawn.pixels, garments))
    return examples


def random_look(random: Random, categories: Collection[str], womens: Collection[str] = ()) -> Look:
    """Choose a garment of these categories; of `womens` only women's, of the others either."""
    category, colour = random.choice(sorted(categories)), random.choice(sorted(COLOURS))
    denim = category in ("jeans", "denim jacket")
    pattern = "denim" if denim else random.choice(sorted(PATTERNS))
    number = random.getrandbits(20)
    return Look(category, colour, pattern, number, category in womens or random.random() < 0.5)
