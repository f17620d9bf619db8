"""Train attribute heads on labelled embeddings.

Transfer learning on frozen features: linear heads trained together. Exclusive attributes have a
softmax and cross-entropy, others a sigmoid a label and binary cross-entropy; classes weigh by the
root of their rarity, and a missing label counts for nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from indexer.models.attribute_heads import AttributeHeads, Head, HeadKind

NO_LABEL = -100  # what cross_entropy passes over
LEARNING_RATE, WEIGHT_DECAY = 0.05, 1e-3
CURVE_POINTS = 30  # steps at which the learning curve is measured
# A weight of the rarest label above this would make a handful of photos the whole lesson.
MAX_RARITY = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class HeadTarget:
    """One attribute of n garments: its `labels`, and `truth` of one of two kinds.

    softmax: (n,) numbers of labels, `NO_LABEL` where missing. sigmoid: (n, labels) of 0 and 1, rows
    of NaN where missing.
    """

    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    truth: NDArray[np.int64] | NDArray[np.float32]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which garments have it (n,)."""
        if self.kind == "softmax":
            return np.asarray(self.truth != NO_LABEL)
        return np.asarray(~np.isnan(self.truth).any(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class LabelledEmbeddings:
    """Embeddings (n, d), their attributes, which are held out (n,), and what belongs together.

    `groups` (n,) are numbers: photos of one product must not be counted as independent.
    """

    embeddings: NDArray[np.float32]
    targets: tuple[HeadTarget, ...]
    held_out: NDArray[np.bool_]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Mean loss a head after a number of steps, on what was trained on and on what was held out."""

    step: int
    training: float
    held_out: float


class MultiHead(nn.Module):
    """One linear layer for each head, on one input."""

    def __init__(self, dim: int, labels: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        # Prefixed: a head may be called what a torch module already has, such as `type`.
        self.heads = nn.ModuleDict(
            {f"head_{n}": nn.Linear(dim, len(ls)) for n, ls in labels.items()}
        )

    def forward(self, embeddings: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return each head's logits, (n, labels)."""
        return {name.removeprefix("head_"): head(embeddings) for name, head in self.heads.items()}


def number_labels(
    name: str, values: Sequence[Sequence[str]], kind: HeadKind, labels: Sequence[str]
) -> HeadTarget:
    """Return one attribute of n garments from its words; words not among `labels` are missing."""
    number = {label: i for i, label in enumerate(labels)}
    if kind == "softmax":
        found = [number.get(words[0], NO_LABEL) if words else NO_LABEL for words in values]
        return HeadTarget(name, kind, tuple(labels), np.array(found, np.int64))
    truth = np.full((len(values), len(labels)), np.nan, np.float32)
    for row, words in enumerate(values):
        if words:
            truth[row] = [float(label in words) for label in labels]
    return HeadTarget(name, kind, tuple(labels), truth)


def train_heads(
    data: LabelledEmbeddings, steps: int, seed: int
) -> tuple[AttributeHeads, list[CurvePoint]]:
    """Fit all heads together by full-batch AdamW and return them with their learning curve."""
    torch.manual_seed(seed)
    model = MultiHead(data.embeddings.shape[1], {t.name: t.labels for t in data.targets})
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    lessons, tests = _Lessons(data, ~data.held_out), _Lessons(data, data.held_out)
    curve = []
    for step in range(steps):
        loss = lessons.loss(model)
        if step % max(1, steps // CURVE_POINTS) == 0 or step == steps - 1:
            with torch.no_grad():
                curve.append(CurvePoint(step, float(loss), float(tests.loss(model))))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return AttributeHeads([_head(model, target) for target in data.targets]), curve


class _Lessons:
    """Chosen rows as tensors, and a model's mean loss a head on them."""

    def __init__(self, data: LabelledEmbeddings, rows: NDArray[np.bool_]) -> None:
        self.inputs = torch.from_numpy(data.embeddings[rows])
        self.truths = {t.name: torch.from_numpy(t.truth[rows]) for t in data.targets}
        taught = {t.name: torch.from_numpy(t.truth[~data.held_out]) for t in data.targets}
        self.targets = data.targets
        self.weights = {t.name: _weights(t, taught[t.name]) for t in data.targets}

    def loss(self, model: MultiHead) -> torch.Tensor:
        """Return the mean of the heads' losses; a head without labels here counts 0."""
        logits = model(self.inputs)
        losses = []
        for target in self.targets:
            truth, weight = self.truths[target.name], self.weights[target.name]
            found = logits[target.name]
            if target.kind == "softmax":
                total = F.cross_entropy(
                    found, truth, weight, ignore_index=NO_LABEL, reduction="sum"
                )
                count = weight[truth[truth != NO_LABEL]].sum()
            else:
                known = ~truth.isnan().any(dim=1)
                total = F.binary_cross_entropy_with_logits(
                    found[known], truth[known], pos_weight=weight, reduction="sum"
                )
                count = known.sum() * len(target.labels)
            losses.append(total / count.clamp(min=1e-6))
        return torch.stack(losses).mean()


def _weights(target: HeadTarget, truth: torch.Tensor) -> torch.Tensor:
    """Return a weight for each label by the root of its rarity (softmax), else by its rarity."""
    if target.kind == "softmax":
        n = len(target.labels)
        counts = torch.bincount(truth[truth != NO_LABEL], minlength=n).float()
        return (counts.sum() / counts.clamp(min=1) / n).sqrt()
    known = truth[~truth.isnan().any(dim=1)]
    share = known.mean(dim=0).clamp(min=1e-3, max=1 - 1e-3)
    return ((1 - share) / share).clamp(max=MAX_RARITY)


def _head(model: MultiHead, target: HeadTarget) -> Head:
    layer = model.heads[f"head_{target.name}"]
    weight, bias = (layer.get_parameter(part).detach().numpy() for part in ("weight", "bias"))
    return Head(target.name, target.kind, target.labels, weight, bias)
