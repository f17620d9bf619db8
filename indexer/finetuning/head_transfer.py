"""Transfer attribute heads from one encoder's embedding space to another's.

The tuned encoder sees the same garments: a head is moved by the map's inverse, then fitted by
ridge regression to its earlier scores.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from indexer.models.attribute_heads import AttributeHeads, Head

RIDGE = 1e-3  # of the moved weights, for each garment: few garments change little
# Of garments of which a head says the same as before; less, and it should be trained anew.
AGREES = 0.95
YES = 0.5  # a sigmoid's label is said above this

Rows = NDArray[np.float32]


def transfer_heads(heads: AttributeHeads, before: Rows, after: Rows, back: Rows) -> AttributeHeads:
    """Return heads for `after` (n, d) that say what these say of `before` (n, d).

    `back` (d, d) leads from the new space to the old, as nearly as is known.
    """
    gram = after.T @ after + RIDGE * len(after) * np.eye(after.shape[1], dtype=np.float32)
    return AttributeHeads([_transferred(head, before, after, back, gram) for head in heads.heads])


def agreement(
    old: AttributeHeads, new: AttributeHeads, before: Rows, after: Rows
) -> dict[str, float]:
    """Return for how many garments each head says the same: its first label, or all it says."""
    shares = {}
    for was, is_now in zip(old.heads, new.heads, strict=True):
        said, says = was.scores(before), is_now.scores(after)
        if was.kind == "softmax":
            same = said.argmax(axis=1) == says.argmax(axis=1)
        else:
            same = (said > YES) == (says > YES)
        shares[was.name] = float(same.mean()) if same.size else 1.0
    return shares


def agreeing_heads(
    heads: AttributeHeads, shares: dict[str, float]
) -> tuple[AttributeHeads, list[str]]:
    """Return the heads that agree, and the names of those that do not."""
    lost = [head.name for head in heads.heads if shares[head.name] < AGREES]
    return AttributeHeads([head for head in heads.heads if head.name not in lost]), lost


def _transferred(head: Head, before: Rows, after: Rows, back: Rows, gram: Rows) -> Head:
    weight = head.weight @ back
    missing = before @ head.weight.T - after @ weight.T  # (n, labels)
    weight = weight + np.linalg.solve(gram, after.T @ missing).T
    return replace(head, weight=weight.astype(np.float32))
