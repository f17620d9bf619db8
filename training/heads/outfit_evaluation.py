"""Measure how early the garment really worn with another is found, on held-out people.

Each garment asks for its partner among all held-out garments of the partner's slot, other people's
and single ones too.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Layout
from indexer.garments import Slot
from indexer.vocabulary.colour_terms import basic_name
from search.evaluation.bootstrap import cell, table
from search.recommend.compatibility import Compatibility
from training.heads.outfit_fit import canonical
from training.heads.outfit_photos import Wardrobe

ASKED: tuple[tuple[Slot, Slot], ...] = (
    ("top", "bottom"), ("bottom", "top"), ("outer", "bottom"), ("outer", "top"), ("top", "outer"),
    ("bottom", "outer"),
)  # fmt: skip
# What is worn with them follows the clothes; asked where something was learned of them.
TO_ACCESSORIES: tuple[tuple[Slot, Slot], ...] = tuple(
    (worn, beside)
    for worn in ("top", "bottom", "dress", "outer")
    for beside in ("shoes", "bag", "headwear")
)
SHIPPED = "**learned, shipped**"
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Score = Callable[["Question"], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Two slots, the training pairs, who asks (q rows) and the gallery (g rows) to rank."""

    wardrobe: Wardrobe
    layout: Layout
    slots: tuple[Slot, Slot]
    training: Rows
    asking: Rows
    gallery: Rows

    def part(self, name: str, rows: Rows) -> Floats:
        """Return a part of the vectors of some rows."""
        return self.wardrobe.vectors[rows][:, self.layout.slices()[name]]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """By one way to rank: each pair's place, 0 best to 1 last, and how many come before it."""

    slots: tuple[Slot, Slot]
    way: str
    gallery: int
    places: NDArray[np.float64]
    before: NDArray[np.int64]


def evaluate_outfits(wardrobe: Wardrobe, layout: Layout, matching: Compatibility) -> list[Measured]:
    """Rank by chance, by popularity, by likeness, by what was learned."""
    measured = []
    known = [slots for slots in TO_ACCESSORIES if matching.table(*slots) is not None]
    for slots in (*ASKED, *known):
        pairs = wardrobe.pairs(*slots, held_out=True)
        gallery = np.flatnonzero(wardrobe.held_out & (wardrobe.slot == slots[1]))
        training = wardrobe.training_pairs(*slots)
        question = Question(wardrobe, layout, slots, training, pairs[:, 0], gallery)
        right = np.searchsorted(gallery, pairs[:, 1])
        for way, score in ways(matching).items():
            before = places(score(question), right)
            shares = before / max(len(gallery) - 1, 1)
            measured.append(Measured(slots, way, len(gallery), shares, before))
    return measured


def ways(matching: Compatibility) -> Mapping[str, Score]:
    """Return the ways to rank, by name."""
    return {
        "random": _random,
        "popular": _popular,
        "same colours": lambda q: q.part("colour", q.asking) @ q.part("colour", q.gallery).T,
        "same looks": lambda q: q.part("visual", q.asking) @ q.part("visual", q.gallery).T,
        SHIPPED: lambda q: _learned(q, matching),
        "learned of looks, not shipped": _of_looks,
    }


def places(scores: Floats, right: Rows) -> NDArray[np.int64]:
    """Return how many come before the right one (q,); of equal scores half do, at random.

    Raises ValueError for scores that are no numbers: nothing is more than they are.
    """
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {scores.size} scores are no numbers")
    rng = np.random.default_rng(0)
    shaken = scores + rng.random(scores.shape) * 1e-9
    own = shaken[np.arange(len(right)), right]
    return np.asarray((shaken > own[:, None]).sum(axis=1), np.int64)


def outfit_table(measured: Sequence[Measured]) -> str:
    """Write the measures as a Markdown table."""
    rows = []
    for each in measured:
        tenth = each.gallery / 10
        rows.append(
            [
                f"{each.slots[0]} → {each.slots[1]}",
                each.way,
                f"{len(each.places)} / {each.gallery}",
                cell(each.places),
                *(cell(each.before < k) for k in (1, 10)),
                cell(each.before < tenth),
            ]
        )
    measures = ["mean place", "recall@1", "recall@10", "in the first tenth"]
    return table(["given → sought", "ranked by", "pairs / gallery", *measures], rows)


def _random(question: Question) -> Floats:
    rng = np.random.default_rng(1)
    return rng.random((len(question.asking), len(question.gallery))).astype(np.float32)


def _popular(question: Question) -> Floats:
    wardrobe = question.wardrobe
    named = zip(wardrobe.colour.tolist(), wardrobe.category.tolist(), strict=True)
    kinds = [f"{basic_name(colour)} {category}" for colour, category in named]
    seen = Counter(kinds[row] for row in question.training[:, 1])
    counts = np.array([seen[kinds[row]] for row in question.gallery], np.float32)
    return np.tile(counts, (len(question.asking), 1))


def _learned(question: Question, matching: Compatibility) -> Floats:
    known = matching.table(*question.slots)
    if known is None:
        raise ValueError(
            f"nothing was learned of {question.slots}; see training.heads.outfits.PAIRS"
        )
    asking, gallery = (
        question.wardrobe.category[rows].tolist() for rows in (question.asking, question.gallery)
    )
    return known.score(
        known.colour_scores(
            question.part("colour", question.asking), question.part("colour", question.gallery)
        ),
        known.kind_scores(asking, gallery),
        known.usual_scores(question.part("colour", question.gallery)),
    )


def _of_looks(question: Question) -> Floats:
    means, maps = canonical(
        question.part("visual", question.training[:, 0]).astype(float),
        question.part("visual", question.training[:, 1]).astype(float),
    )
    asking = (question.part("visual", question.asking) - means[0]) @ maps[0]
    gallery = (question.part("visual", question.gallery) - means[1]) @ maps[1]
    return np.asarray(asking @ gallery.T, np.float32)
