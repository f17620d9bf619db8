"""Linear heads that read named attributes with scores from an embedding.

A head is `softmax` (one of its labels is true: category) or `sigmoid` (any number are: details).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from indexer.errors import ModelError
from indexer.fused_vector import unit_rows
from indexer.garments import Slot
from indexer.inference.fingerprint import combine
from indexer.vocabulary.categories import slot_of

HeadKind = Literal["softmax", "sigmoid"]
CATEGORY = "category"  # the head whose labels belong to slots
# Beside the categories of a garment's slot: the likeliest of all, where it is of another slot. A
# feed's trousers that look like a dress are one, or the picture is another product's.
LOOKS_LIKE = "looks like"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One attribute: `weight` (labels, d) and `bias` (labels,) on unit embeddings.

    `slots` are those it was taught on: a skirt has no neckline. None at all means every one.
    """

    name: str
    kind: HeadKind
    labels: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    slots: tuple[str, ...] = ()

    def means_something(self, slot: Slot) -> bool:
        """Tell whether a garment worn in this slot can have the attribute."""
        return not self.slots or slot == "unknown" or slot in self.slots

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the label's scores before softmax or sigmoid, (n, labels)."""
        return np.asarray(embeddings @ self.weight.T + self.bias, np.float32)

    def worn_in(self, slot: Slot) -> NDArray[np.bool_]:
        """Tell which labels a garment in this slot can have, (labels,).

        Only of the categories some cannot: a top is no skirt. A word that the vocabulary does not
        know may be worn anywhere.
        """
        if self.name != CATEGORY or slot == "unknown":
            return np.ones(len(self.labels), np.bool_)
        return np.array([slot_of(label) in (slot, "unknown") for label in self.labels], np.bool_)

    def in_slot(self, scores: NDArray[np.float32], slot: Slot) -> NDArray[np.float32]:
        """Return one garment's probabilities (labels,), knowing its slot; all 0 where none fits."""
        if self.kind == "sigmoid":
            return scores
        possible = np.where(self.worn_in(slot), scores, np.float32(0))
        return np.asarray(possible / max(float(possible.sum()), 1e-9), np.float32)

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each label, (n, labels)."""
        logits = self.logits(embeddings)
        if self.kind == "sigmoid":
            return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


class AttributeHeads:
    """Several heads, read from `heads.json` and `heads.safetensors`."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = tuple(heads)
        described = [f"{h.name}:{h.kind}:{h.labels}:{h.slots}" for h in self.heads]
        tensors = [h.weight.tobytes().hex() + h.bias.tobytes().hex() for h in self.heads]
        self.fingerprint = combine(*described, *tensors)
        self.dim = sum(len(head.labels) for head in self.heads)

    @classmethod
    def load(cls, folder: Path) -> "AttributeHeads":
        """Load a folder written by `save`. Raises ModelError."""
        try:
            described = json.loads((folder / "heads.json").read_text("utf-8"))
            tensors = load_file(folder / "heads.safetensors")
            heads = [
                Head(
                    each["name"],
                    each["kind"],
                    tuple(each["labels"]),
                    tensors[f"{each['name']}.weight"].astype(np.float32),
                    tensors[f"{each['name']}.bias"].astype(np.float32),
                    tuple(each.get("slots", ())),
                )
                for each in described
            ]
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise ModelError(
                f"the attribute heads in {folder} cannot be loaded: {error}"
            ) from error
        return cls(heads)

    def save(self, folder: Path) -> None:
        """Write the heads to a folder, weights as float16."""
        folder.mkdir(parents=True, exist_ok=True)
        described = [
            {"name": h.name, "kind": h.kind, "labels": h.labels, "slots": h.slots}
            for h in self.heads
        ]
        (folder / "heads.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")
        tensors = {}
        for head in self.heads:
            tensors[f"{head.name}.weight"] = head.weight.astype(np.float16)
            tensors[f"{head.name}.bias"] = head.bias.astype(np.float16)
        # Not save_file: its files are the owner's alone, whatever the umask says.
        (folder / "heads.safetensors").write_bytes(save(tensors))

    def scores(self, embeddings: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return each head's probabilities, (n, labels) under its name."""
        return {head.name: head.scores(embeddings) for head in self.heads}

    def labelled(
        self, scores: Mapping[str, NDArray[np.float32]], row: int, slot: Slot
    ) -> dict[str, dict[str, float]]:
        """Return one garment's labels with their scores, likeliest first, under each head's name.

        Heads that mean nothing in its slot are left out, and the slot head: the detector decides.
        A softmax head gives its first three, a sigmoid head all above one half; categories are
        those of the slot, with their probability given that slot. `LOOKS_LIKE` is added where one
        of another slot is likelier.
        """
        named: dict[str, dict[str, float]] = {}
        for head in self.heads:
            if head.name == "slot" or not head.means_something(slot):
                continue
            values = head.in_slot(scores[head.name][row], slot)
            order = np.argsort(-values)
            if head.kind == "softmax":
                chosen = [i for i in order[:3] if head.worn_in(slot)[i]]
            else:
                chosen = [i for i in order if values[i] > 0.5]
            if chosen or head.kind == "sigmoid":
                named[head.name] = {head.labels[i]: round(float(values[i]), 4) for i in chosen}
            best = int(scores[head.name][row].argmax())
            if head.kind == "softmax" and not head.worn_in(slot)[best]:
                sure = round(float(scores[head.name][row, best]), 4)
                named[LOOKS_LIKE] = {head.labels[best]: sure}
        return named

    def unit_part(
        self, scores: Mapping[str, NDArray[np.float32]], slots: Sequence[Slot]
    ) -> NDArray[np.float32]:
        """Return square-root probabilities (n, dim) of unit length, each head counting the same.

        The inner product of two rows is then the mean Bhattacharyya coefficient of the heads that
        mean something in the garments' slots; the others are zero.
        """
        if not self.heads:
            return np.zeros((len(slots), 0), np.float32)
        parts = []
        for head in self.heads:
            roots = unit_rows(np.sqrt(scores[head.name]))
            applies = np.array([head.means_something(slot) for slot in slots], np.float32)
            parts.append(roots * applies[:, None])
        return unit_rows(np.concatenate(parts, axis=1))

    def likeliest_category(
        self, scores: Mapping[str, NDArray[np.float32]], row: int, slot: Slot
    ) -> str:
        """Return the likeliest category among those worn in this slot; the slot when none is."""
        head = next((h for h in self.heads if h.name == CATEGORY), None)
        if head is None:
            return slot
        for i in np.argsort(-scores[CATEGORY][row]):
            if slot == "unknown" or slot_of(head.labels[i]) == slot:
                return str(head.labels[i])
        return slot
