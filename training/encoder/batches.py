"""Sample batches of augmented garments with the classes and labels that training needs."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS
from training.encoder.augmentation import augment, to_tensor
from training.encoder.photos import Facts, Garment, View

# Garments a batch, two views of each. A product comes with another colour of itself where it has
# one: cut alike, so that colour is learned, and one colour in many cuts comes anyhow.
PRODUCTS, OTHERS, DRAWN = 18, 28, 4
# Among garments drawn at random, two views of one are soon found; most of the others therefore come
# in groups of look-alikes (hard negatives: Schroff et al., FaceNet, CVPR 2015), as ImageNet sees
# them. The nearest of all may be the same garment in another photo: they are passed over.
GROUPS, GROUP = 3, 7
LOOK_ALIKES = 40  # of which a group is drawn
SAME = 0.88  # teacher's cosine above which two photos may well show one garment
MIN_EXAMPLES = 15  # a label with fewer says nothing that can be learned
UNKNOWN = -100  # what cross_entropy passes over


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of each auxiliary head."""

    names: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, garments: Sequence[Garment]) -> "Labels":
        """Collect the labels that occur often enough."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for garment in garments:
            for head, label in said(garment.facts).items():
                counts[head][label] += 1
        return cls(
            {
                head: tuple(sorted(label for label, n in found.items() if n >= MIN_EXAMPLES))
                for head, found in sorted(counts.items())
            }
        )

    def numbers(self, facts: Facts) -> list[int]:
        """Return each head's label number; UNKNOWN where it is not said."""
        known = said(facts)
        return [
            labels.index(known[head]) if known.get(head) in labels else UNKNOWN
            for head, labels in self.names.items()
        ]


def said(facts: Facts) -> dict[str, str]:
    """Return what exclusive labels a garment has, by head."""
    labels = {
        "category": facts.category,
        "colour": facts.colours[0] if facts.colours else None,
        "gender": facts.gender,
        "pattern": facts.pattern,
        "slot": facts.slot if facts.slot in WORN_SLOTS else None,
    }
    return {head: label for head, label in labels.items() if label}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pixels (n, 3, s, s), the garment of each (n,), its label numbers (n, heads), and what the
    teacher saw in the same view (n, d).
    """

    pixels: torch.Tensor
    classes: torch.Tensor
    labels: torch.Tensor
    taught: torch.Tensor


class Sampler:
    """Draws batches from the garments of the training part."""

    def __init__(
        self, garments: Sequence[Garment], labels: Labels, taught: Mapping[str, torch.Tensor]
    ) -> None:
        """`taught` holds the teacher's rows (views, d) by the name of each garment."""
        self._taught = taught
        self._labels = labels
        self._products: dict[str, list[Garment]] = defaultdict(list)
        self._others: list[Garment] = []
        self._drawn: list[Garment] = []
        for garment in garments:
            if garment.is_product:
                self._products[garment.name.rsplit("-", 1)[0]].append(garment)
            else:
                drawn = garment.name.startswith("drawn")
                (self._drawn if drawn else self._others).append(garment)
        self._rarity = rarity([g.facts.category for g in self._others]) if self._others else None
        self._near = look_alikes([taught[g.name][0] for g in self._others])

    def draw(self, side: int, rng: np.random.Generator) -> Batch:
        """Return two augmented views of each of some garments, `side` pixels large."""
        drawn = rng.choice(len(self._drawn), min(DRAWN, len(self._drawn)), replace=False)
        garments = [*self._draw_products(rng), *self._draw_others(rng)]
        garments += [self._drawn[i] for i in drawn]
        crops: list[NDArray[np.uint8]] = []
        taught: list[torch.Tensor] = []
        for garment in garments:
            pair = rng.choice(len(garment.views), 2, replace=len(garment.views) < 2)
            crops += [augment(garment.views[i], self._any_view(rng), rng) for i in pair]
            taught += [self._taught[garment.name][i] for i in pair]
        numbers = [self._labels.numbers(garment.facts) for garment in garments]
        return Batch(
            to_tensor(crops, side),
            torch.arange(len(garments)).repeat_interleave(2),
            torch.tensor(numbers).repeat_interleave(2, dim=0),
            torch.stack(taught),
        )

    def _draw_products(self, rng: np.random.Generator) -> list[Garment]:
        skus = list(self._products)
        drawn: list[Garment] = []
        for i in rng.permutation(len(skus)):
            colours = self._products[skus[i]]
            drawn += [colours[j] for j in rng.permutation(len(colours))[:2]]
            if len(drawn) >= PRODUCTS:
                break
        return drawn

    def _draw_others(self, rng: np.random.Generator) -> list[Garment]:
        """Draw some garments with look-alikes of theirs, the rest alone."""
        n = len(self._others)
        alone = rng.choice(n, min(OTHERS, n), replace=False, p=self._rarity).tolist()
        chosen: dict[int, None] = {}
        for i in alone[:GROUPS]:
            near = self._near[i]
            some = rng.choice(near, min(GROUP - 1, len(near)), replace=False).tolist()
            chosen |= dict.fromkeys([i, *some])
        chosen |= dict.fromkeys(alone)
        return [self._others[i] for i in list(chosen)[:OTHERS]]

    def _any_view(self, rng: np.random.Generator) -> View:
        return self._others[int(rng.integers(len(self._others)))].views[0]


def look_alikes(rows: Sequence[torch.Tensor]) -> list[NDArray[np.int64]]:
    """Return for each of n unit rows (d,) the places of its nearest that are not the same."""
    if not rows:
        return []
    unit = torch.stack(list(rows))
    found = []
    for i in range(len(unit)):
        cosines = unit @ unit[i]
        cosines[(cosines > SAME) | (torch.arange(len(unit)) == i)] = -1
        count = min(LOOK_ALIKES, int((cosines > -1).sum()))
        found.append(cosines.topk(count).indices.numpy())
    return found


def rarity(kinds: Sequence[Hashable], least: int = 1) -> NDArray[np.float64]:
    """Return how often to draw each garment (n,), by its kind: the rarer, the more often.

    A kind weighs by the root of its count; those of fewer than `least` count as so many.
    """
    counts = Counter(kinds)
    weights = np.array([max(counts[kind], least) ** -0.5 for kind in kinds])
    return np.asarray(weights / weights.sum(), np.float64)
