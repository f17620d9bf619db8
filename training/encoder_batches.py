"""Garments in, batches of augmented pixels with the classes and labels that training needs out."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from indexer.garments import WORN_SLOTS
from training.encoder_photos import Facts, Garment, View
from training.encoder_views import augment, to_tensor

# Garments a batch, two views of each. A product comes with another colour of itself where it has
# one: cut alike, so that colour is learned, and one colour in many cuts comes anyhow.
PRODUCTS, OTHERS, DRAWN = 18, 28, 4
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

    def draw(self, side: int, rng: np.random.Generator) -> Batch:
        """Return two augmented views of each of some garments, `side` pixels large."""
        garments = [*self._draw_products(rng)]
        for kind, count, share in (
            (self._others, OTHERS, self._rarity),
            (self._drawn, DRAWN, None),
        ):
            chosen = rng.choice(len(kind), min(count, len(kind)), replace=False, p=share)
            garments += [kind[i] for i in chosen]
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

    def _any_view(self, rng: np.random.Generator) -> View:
        return self._others[int(rng.integers(len(self._others)))].views[0]


def rarity(kinds: Sequence[Hashable], least: int = 1) -> NDArray[np.float64]:
    """Return how often to draw each garment (n,), by its kind: the rarer, the more often.

    A kind weighs by the root of its count; those of fewer than `least` count as so many.
    """
    counts = Counter(kinds)
    weights = np.array([max(counts[kind], least) ** -0.5 for kind in kinds])
    return np.asarray(weights / weights.sum(), np.float64)
