"""Garment crops in, the bundled attribute heads out: several linear heads trained together.

    python -m training.attributes [--out indexer/weights/attributes] [--seed 0] [--steps 600]

Each head has its own loss on the same frozen embeddings: cross-entropy over one softmax a head. A
crop without a label for a head (a `top` has a slot but no category) counts for the others only.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import nn
from torch.nn import functional as F

from indexer.attributes import AttributeHeads, Head
from indexer.embedding import ClipEncoder
from indexer.garments import WORN_SLOTS
from indexer.models import BUNDLED
from indexer.runtime import Runtime
from training.crops import Crop, ccp_crops, clothing_crops

MIN_EXAMPLES = 20  # a category with fewer cannot be learned, nor its learning be measured
NO_LABEL = -100  # what cross_entropy passes over
WEIGHT_DECAY = 1e-3

CARD = """# Model card: lapel-attributes

Linear softmax heads on lapel-encoder's embeddings: {heads}.

- Data: garments of Clothing Co-Parsing (Apache-2.0), cut out by their true masks, and of the
  clothing dataset (CC0), cut out of plain backgrounds. {n_train} to train, {n_validation} held out
  (CCP: `training/splits/ccp_validation.txt`; clothing: one in ten by the hash of its name).
- Licence: Apache-2.0. Date: {date}. Command: `python -m training.attributes --seed {seed}`.

| head | macro-F1 | majority baseline | labels | held-out garments |
|---|---|---|---|---|
{rows}

What still fails: rare categories (blouse, cape, bodysuit) go to their commoner neighbours, and
the embeddings were trained to tell products apart, not to name cut and cloth.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Embeddings (n, d), each head's label numbers (n,), and which rows are held out (n,)."""

    embeddings: NDArray[np.float32]
    targets: Mapping[str, NDArray[np.int64]]
    labels: Mapping[str, tuple[str, ...]]
    validation: NDArray[np.bool_]


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


def main() -> None:
    """Train, measure on what was held out, and write heads and card."""
    parser = argparse.ArgumentParser(prog="training.attributes", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED["attributes"].folder)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    encoder = ClipEncoder.load(f"local-dir:{BUNDLED['encoder'].folder}", Runtime.choose())
    data = label(list(chain(ccp_crops(encoder.fill), clothing_crops(encoder.fill))), encoder)
    heads = train(data, options.steps, options.seed)
    heads.save(options.out)
    card = write_card(heads, data, options.seed)
    (options.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    print(card)


def label(crops: Sequence[Crop], encoder: ClipEncoder) -> Labelled:
    """Embed the crops and number their labels; categories with few examples get none."""
    counts = Counter(crop.category for crop in crops if crop.category and not crop.validation)
    categories = tuple(sorted(name for name, n in counts.items() if n >= MIN_EXAMPLES))
    category_number = {name: i for i, name in enumerate(categories)}
    return Labelled(
        encoder.embed([crop.pixels for crop in crops]),
        {
            "slot": np.array([WORN_SLOTS.index(crop.slot) for crop in crops]),
            "category": np.array([category_number.get(c.category or "", NO_LABEL) for c in crops]),
        },
        {"slot": WORN_SLOTS, "category": categories},
        np.array([crop.validation for crop in crops]),
    )


def train(data: Labelled, steps: int, seed: int) -> AttributeHeads:
    """Fit all heads together by full-batch AdamW; classes weigh by the root of their rarity."""
    torch.manual_seed(seed)
    rows = ~data.validation
    inputs = torch.from_numpy(data.embeddings[rows])
    targets = {name: torch.from_numpy(t[rows]) for name, t in data.targets.items()}
    weights = {name: _class_weights(t, len(data.labels[name])) for name, t in targets.items()}
    model = MultiHead(inputs.shape[1], data.labels)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        logits = model(inputs)
        loss = torch.stack(
            [
                F.cross_entropy(logits[name], t, weights[name], ignore_index=NO_LABEL)
                for name, t in targets.items()
            ]
        ).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return AttributeHeads([_head(model, name, data.labels[name]) for name in data.labels])


def _class_weights(targets: torch.Tensor, n: int) -> torch.Tensor:
    counts = torch.bincount(targets[targets != NO_LABEL], minlength=n).float()
    return (counts.sum() / counts.clamp(min=1) / n).sqrt()


def _head(model: MultiHead, name: str, labels: Sequence[str]) -> Head:
    layer = model.heads[f"head_{name}"]
    weight, bias = (layer.get_parameter(part).detach().numpy() for part in ("weight", "bias"))
    return Head(name, "softmax", tuple(labels), weight, bias)


def write_card(heads: AttributeHeads, data: Labelled, seed: int) -> str:
    """Measure macro-F1 on the held-out garments and return the model card."""
    scores = heads.scores(data.embeddings)
    rows = []
    for head in heads.heads:
        held_out = data.validation & (data.targets[head.name] != NO_LABEL)
        truth = data.targets[head.name][held_out]
        found = scores[head.name][held_out].argmax(axis=1)
        majority = np.full_like(truth, np.bincount(truth).argmax())
        f1, baseline = (
            f1_score(truth, guess, average="macro", zero_division=0) for guess in (found, majority)
        )
        rows.append(
            f"| {head.name} | {f1:.3f} | {baseline:.3f} | {len(head.labels)} | {len(truth)} |"
        )
    return CARD.format(
        heads=", ".join(f"{h.name} ({', '.join(h.labels)})" for h in heads.heads),
        n_train=int((~data.validation).sum()),
        n_validation=int(data.validation.sum()),
        date=datetime.now(UTC).date().isoformat(),
        seed=seed,
        rows="\n".join(rows),
    )


if __name__ == "__main__":
    main()
