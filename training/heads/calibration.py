"""Make probabilities of exclusive heads mean what they say: one temperature a head.

Temperature scaling (Guo et al., ICML 2017), fitted on what heads trained on other folds say of each
fold of the training garments: what is held out is not touched. A category is judged as it is shown,
among those of the garment's slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.finetuning.head_training import HeadTarget, LabelledEmbeddings, train_heads
from indexer.garments import Slot
from indexer.models.attribute_heads import AttributeHeads, Head
from search.evaluation.confidence_fit import Reliability, reliability

FOLDS = 3
TEMPERATURES = np.geomspace(0.5, 5.0, 60)  # steps of 4 %


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """One head's logits (n, labels), -inf where the slot has no such label, and the truth (n,)."""

    logits: NDArray[np.float64]
    truth: NDArray[np.int64]

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Return each row's probabilities, (n, labels)."""
        scaled = self.logits / temperature
        raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    def loss(self, temperature: float) -> float:
        """Return the mean negative log likelihood of the truth."""
        said = self.probabilities(temperature)[np.arange(len(self.truth)), self.truth]
        return float(-np.log(np.maximum(said, 1e-12)).mean())


def calibrate(
    heads: AttributeHeads, data: LabelledEmbeddings, slots: Sequence[Slot], steps: int, seed: int
) -> tuple[AttributeHeads, dict[str, float]]:
    """Return the heads with their temperatures applied, and these; `slots` are the garments'."""
    fold = np.where(data.held_out, -1, data.groups % FOLDS)
    answers: dict[str, list[_Answers]] = {}
    for number in range(FOLDS):
        others = replace(data, held_out=(fold == number) | data.held_out)
        trained, _ = train_heads(others, steps, seed)
        for head, target in zip(trained.heads, data.targets, strict=True):
            if head.kind == "softmax":
                rows = (fold == number) & target.known
                answers.setdefault(head.name, []).append(_answers(head, target, data, slots, rows))
    temperatures = {name: _temperature(parts) for name, parts in answers.items()}
    scaled = [_scaled(head, temperatures.get(head.name, 1.0)) for head in heads.heads]
    return AttributeHeads(scaled), temperatures


def reliabilities(
    heads: AttributeHeads, data: LabelledEmbeddings, slots: Sequence[Slot]
) -> dict[str, Reliability]:
    """Compare the likeliest label's probability with how often it is right, on the held-out."""
    found = {}
    by_name = {target.name: target for target in data.targets}
    for head in heads.heads:
        target = by_name[head.name]
        rows = data.held_out & target.known
        if head.kind == "softmax" and rows.any():
            answers = _answers(head, target, data, slots, rows)
            said = answers.probabilities()
            right = said.argmax(axis=1) == answers.truth
            found[head.name] = reliability(said.max(axis=1), right)
    return found


def in_slot_logits(
    head: Head, embeddings: NDArray[np.float32], slots: Sequence[Slot]
) -> NDArray[np.float64]:
    """Return logits (n, labels), -inf for the categories that are not worn in the slot."""
    possible = {slot: head.worn_in(slot) for slot in set(slots)}
    allowed = np.stack([possible[slot] for slot in slots])
    allowed |= ~allowed.any(axis=1, keepdims=True)
    return np.where(allowed, head.logits(embeddings).astype(np.float64), -np.inf)


def _answers(
    head: Head,
    target: HeadTarget,
    data: LabelledEmbeddings,
    slots: Sequence[Slot],
    rows: NDArray[np.bool_],
) -> _Answers:
    worn = [slots[i] for i in np.flatnonzero(rows).tolist()]
    logits = in_slot_logits(head, data.embeddings[rows], worn)
    return _Answers(logits, target.truth[rows].astype(np.int64))


def _temperature(parts: Sequence[_Answers]) -> float:
    whole = _Answers(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.truth for part in parts]),
    )
    return float(min(TEMPERATURES, key=whole.loss))


def _scaled(head: Head, temperature: float) -> Head:
    weight, bias = head.weight / temperature, head.bias / temperature
    return replace(head, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
