"""Train a linear map of a frozen encoder's embedding space: a head of d x d weights.

By supervised contrast (Khosla et al., NeurIPS 2020): photos and views of one product are to lie
together, and apart from all others, its other colours too. The map begins as the identity and is
held to it, so that few products cannot spoil what the encoder knew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from indexer.errors import ModelError
from indexer.finetuning.head_training import CURVE_POINTS, CurvePoint
from indexer.fused_vector import unit_rows

# As the bundled tower was trained with. On Luma's training skus, by folds and the visual part
# alone, temperatures of 0.05 to 0.14 and holds of 0.003 to 0.05 gain the same within chance.
TEMPERATURE = 0.07
LEARNING_RATE = 3e-3
HOLD = 0.01  # of the squared distance from the identity, beside the contrast's 1
BATCH = 512  # garments a step, two views each: 1024 x 1024 scores


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What n garments teach: `views` (n, v, d) of unit length, the first as it is stored.

    `products` (n,) and `groups` (n,) are numbers.
    """

    views: NDArray[np.float32]
    products: NDArray[np.int64]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.products)

    def of(self, rows: NDArray[np.bool_]) -> "Lessons":
        """Return those of some garments (n,)."""
        return Lessons(self.views[rows], self.products[rows], self.groups[rows])


def fit_map(
    lessons: Lessons, steps: int, seed: int, tests: Lessons | None = None
) -> tuple[NDArray[np.float32], list[CurvePoint]]:
    """Return the map (d, d) for unit rows, and its loss on lessons and tests along the way.

    Raises ModelError where it comes to no numbers.
    """
    rng = np.random.default_rng(seed)
    change = torch.zeros(lessons.views.shape[2:] * 2, requires_grad=True)
    optimiser = torch.optim.Adam([change], LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    curve = []
    for step in range(steps):
        batch = _batch(lessons, rng)
        loss = _loss(change, batch, rng)
        if step % max(1, steps // CURVE_POINTS) == 0 or step == steps - 1:
            with torch.no_grad():
                held_out = float(_loss(change, tests, None)) if tests else float("nan")
            curve.append(CurvePoint(step, float(loss.detach()), held_out))
        optimiser.zero_grad()
        (loss + HOLD * change.square().sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    found = np.eye(len(change), dtype=np.float32) + change.detach().numpy()
    if not np.isfinite(found).all():
        raise ModelError(
            "training came to values that are no numbers (NaN or infinite), so nothing was "
            "written; see whether `lapel models verify` says that the encoder is whole"
        )
    return found, curve


def mapped(change: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return unit rows (n, d) as the map (d, d) moves them, of unit length again."""
    return unit_rows(rows @ change.T)


def mean_curve(curves: Sequence[Sequence[CurvePoint]]) -> list[CurvePoint]:
    """Return the mean of several runs of the same number of steps."""
    return [
        CurvePoint(
            points[0].step,
            float(np.mean([point.training for point in points])),
            float(np.mean([point.held_out for point in points])),
        )
        for points in zip(*curves, strict=True)
    ]


def _batch(lessons: Lessons, rng: np.random.Generator) -> Lessons:
    """Return the garments of some groups: a colour is told from another of the same cut."""
    if len(lessons) <= BATCH:
        return lessons
    groups = rng.permutation(np.unique(lessons.groups))
    sizes = np.bincount(lessons.groups, minlength=int(groups.max()) + 1)[groups]
    count = max(2, int(np.searchsorted(np.cumsum(sizes), BATCH)))
    rows = np.flatnonzero(np.isin(lessons.groups, groups[:count]))[: 2 * BATCH]
    chosen = np.zeros(len(lessons), np.bool_)
    chosen[rows] = True
    return lessons.of(chosen)


def _loss(change: torch.Tensor, lessons: Lessons, rng: np.random.Generator | None) -> torch.Tensor:
    """Return the loss on two views of each garment, by chance or the first two."""
    n, count = lessons.views.shape[:2]
    picked = rng.integers(0, count, (2, n)) if rng else np.tile([[0], [min(1, count - 1)]], n)
    views = torch.from_numpy(np.concatenate([lessons.views[np.arange(n), each] for each in picked]))
    unit = F.normalize(views + views @ change.T, dim=1)
    return contrast(unit, lessons.products)


def contrast(unit: torch.Tensor, products: NDArray[np.int64]) -> torch.Tensor:
    """Return the loss of unit rows (2n, d): a view of each of n garments, then another of each."""
    classes = torch.from_numpy(products).to(unit.device).repeat(2)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    log_share = F.log_softmax((unit @ unit.T / TEMPERATURE).masked_fill(itself, -1e4), dim=1)
    same = (classes[:, None] == classes[None]) & ~itself
    return -(log_share * same).sum(1).div(same.sum(1)).mean()
