"""Train an encoder's whole image tower on a shop's garments; its text tower stays.

Supervised contrast as in linear_map.py, plus distillation: each view's embedding by the original
tower must be nearly reproduced (Li and Hoiem, Learning without Forgetting, ECCV 2016), for a few
products alone teach forgetting, and texts must still work. An interrupted run resumes after its
last whole epoch.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from indexer.errors import ModelError
from indexer.finetuning.augmentation import augment
from indexer.finetuning.head_training import CurvePoint
from indexer.finetuning.linear_map import Lessons, contrast
from indexer.inference.fingerprint import combine
from indexer.models.encoder import to_batch
from indexer.models.open_clip_towers import OpenClipModel

LEARNING_RATE = 5e-5  # an eighth of what the bundled tower was trained with: it is to be moved only
WEIGHT_DECAY = 0.02
TEACHER = 1.0  # of the distillation loss, beside the contrast's 1
BATCH = 32  # garments a step, two views each
EMBED_BATCH = 32

Crops = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class FullPlan:
    """How to train: on which device, how long, by which chance, and where checkpoints go."""

    device: str
    epochs: int
    seed: int
    checkpoint: Path


class FullTuning:
    """One training run of an image tower; `lessons` are of the crops, their views are not used."""

    def __init__(
        self, model: OpenClipModel, plan: FullPlan, crops: Crops, lessons: Lessons,
        held_out: NDArray[np.bool_], fill: tuple[int, int, int],
    ) -> None:  # fmt: skip
        loaded = model.load()
        self._facts, self._plan, self._fill = loaded.facts, plan, fill
        self._before = loaded.module.to(plan.device).eval()
        self.tower = copy.deepcopy(loaded.module).to(plan.device).eval().requires_grad_(True)
        self._crops, self._lessons, self._held_out = crops, lessons, held_out
        weights = self.tower.parameters()
        self._optimiser = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        names = (str(loaded.facts["fingerprint"]), str(plan.epochs), str(plan.seed))
        self._key = combine(*names, str(held_out.tolist()), str(lessons.products.tolist()))
        self.curve: list[CurvePoint] = []

    def train(self, tick: Callable[[int], None] = lambda count: None) -> None:
        """Train for all epochs, going on where a run of the same was stopped. Raises ModelError."""
        self._resume()
        for epoch in range(len(self.curve), self._plan.epochs):
            rng = np.random.default_rng([self._plan.seed, epoch])
            losses = [self._step(rows, epoch, rng) for rows in self._batches(rng)]
            self.curve.append(CurvePoint(epoch + 1, float(np.mean(losses)), self._held_out_loss()))
            self._save()
            tick(1)

    def embed(self, before: bool = False) -> NDArray[np.float32]:
        """Return unit rows (n, d) of all crops, as the tower sees them now, or saw them before."""
        tower, rows = self._before if before else self.tower, []
        with torch.inference_mode():
            for start in range(0, len(self._crops), EMBED_BATCH):
                pixels = self._pixels(self._crops[start : start + EMBED_BATCH])
                rows.append(F.normalize(tower(pixels).float(), dim=1).cpu().numpy())
        return np.concatenate(rows)

    def state(self) -> Mapping[str, torch.Tensor]:
        """Return the trained tower's weights."""
        return {name: tensor.cpu() for name, tensor in self.tower.state_dict().items()}

    def _batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return the garments of each step: a group's are together, as its colours must be told."""
        taught = np.flatnonzero(~self._held_out)
        place = rng.permutation(int(self._lessons.groups.max()) + 1)[self._lessons.groups[taught]]
        ordered = taught[np.argsort(place, kind="stable")]
        count = max(1, round(len(ordered) / BATCH))
        return [rows for rows in np.array_split(ordered, count) if len(rows) > 1]

    def _step(self, rows: NDArray[np.int64], epoch: int, rng: np.random.Generator) -> float:
        self._optimiser.param_groups[0]["lr"] = (
            LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * epoch / self._plan.epochs))
        )
        crops = [self._crops[row] for row in rows]
        pixels = self._pixels([augment(c, self._fill, rng) for c in (*crops, *crops)])
        with torch.no_grad():
            before = self._before(pixels)
        after = self.tower(pixels)
        loss = self._contrast(after, rows)
        loss = loss + TEACHER * (1 - F.cosine_similarity(after, before, dim=1).mean())
        if not torch.isfinite(loss):
            raise ModelError(
                "training came to values that are no numbers (NaN or infinite), so nothing was "
                "written; see whether `lapel models verify` says that the encoder is whole"
            )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return float(loss.detach())

    def _held_out_loss(self) -> float:
        rng, losses = np.random.default_rng(self._plan.seed), []
        held = np.flatnonzero(self._held_out)
        for rows in np.array_split(held, max(1, round(len(held) / BATCH))):
            crops = [self._crops[row] for row in rows]
            views = [*crops, *(augment(crop, self._fill, rng) for crop in crops)]
            with torch.inference_mode():
                losses.append(float(self._contrast(self.tower(self._pixels(views)), rows)))
        return float(np.mean(losses))

    def _contrast(self, embedded: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        return contrast(F.normalize(embedded.float(), dim=1), self._lessons.products[rows])

    def _pixels(self, crops: Crops) -> torch.Tensor:
        return torch.from_numpy(to_batch(self._facts, crops)).to(self._plan.device)

    def _save(self) -> None:
        curve = [(point.step, point.training, point.held_out) for point in self.curve]
        checkpoint: dict[str, Any] = {"key": self._key, "tower": self.tower.state_dict(),
                                "optimiser": self._optimiser.state_dict(),
                                "curve": curve}  # fmt: skip
        part = self._plan.checkpoint.with_suffix(".part")
        torch.save(checkpoint, part)
        part.replace(self._plan.checkpoint)

    def _resume(self) -> None:
        if not self._plan.checkpoint.is_file():
            return
        checkpoint = torch.load(self._plan.checkpoint, map_location="cpu", weights_only=True)
        if checkpoint["key"] == self._key:
            self.tower.load_state_dict(checkpoint["tower"])
            self._optimiser.load_state_dict(checkpoint["optimiser"])
            self.curve = [CurvePoint(*point) for point in checkpoint["curve"]]
