"""Choose the share of a run's weights to ship, on the validation part alone.

    python -m training.encoder.evaluate [--work runs/encoder]

For several shares of fine-tuned weights in the mean with those it started from (WiSE-FT), prints
  luma      sku + colour recall_at_1 of validation skus' side photos among all but the test skus
  category  a garment's nearest neighbour has its category: held-out photos of the clothing set
            among a part of the trained-on ones, and held-out garments of CCP among CCP's
  colour    the same, its measured colour
  across    a held-out garment's nearest in the other set has its category: how well what was
            learned carries over to photos of another kind
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from indexer.system.batching import batches
from training.encoder.__main__ import Tower, mix
from training.encoder.augmentation import served, to_tensor
from training.encoder.photos import Garment, View, read_garments

SIDE = 224
SHARES = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0)
GALLERY = 700  # trained-on garments of each set to be told apart from
BATCH = 32
SETS = ("clothing", "ccp")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="training.encoder.evaluate", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    options = parser.parse_args()
    garments = read_garments(options.work / "garments.pt")
    before = torch.load(options.work / "start.pt", weights_only=True)
    after = torch.load(options.work / "last.pt", weights_only=True)["mean"]
    print("share  luma  clothing category colour  ccp category colour  across clothing ccp")
    for share in options.shares:
        print(f"{share:5.2f} ", *score(mix(before, after, share), garments), flush=True)


def score(state: Mapping[str, torch.Tensor], garments: Sequence[Garment]) -> list[str]:
    """Return the seven measures as they are printed."""
    tower = Tower(state)
    measured = [luma_recall(tower, garments)]
    asked, known = {}, {}
    for kind in SETS:
        telling = [g for g in garments if g.name.startswith(kind) and g.facts.category]
        trained = [g for g in telling if g.part == "train"]
        known[kind] = Shelf.of(tower, trained[:: max(1, len(trained) // GALLERY)])
        asked[kind] = Shelf.of(tower, [g for g in telling if g.part == "validation"])
    for kind in SETS:
        measured += neighbours(asked[kind], known[kind])
    measured += [neighbours(asked[a], known[b])[0] for a, b in (SETS, SETS[::-1])]
    return [f"{value:.3f}" for value in measured]


def luma_recall(tower: Tower, garments: Sequence[Garment]) -> float:
    """Return sku + colour recall_at_1: the second view of each product asks for its first."""
    products = [g for g in garments if g.is_product and g.part != "test"]
    gallery = embed(tower, [product.views[0] for product in products])
    asked = [
        (i, view)
        for i, product in enumerate(products)
        if product.part == "validation"
        for view in product.views[1:]
    ]
    found = (embed(tower, [view for _, view in asked]) @ gallery.T).argmax(axis=1)
    return float(np.mean(found == np.array([i for i, _ in asked])))


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Garments with their embeddings (n, d)."""

    garments: Sequence[Garment]
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, tower: Tower, garments: Sequence[Garment]) -> "Shelf":
        """Embed the last view of each garment."""
        return cls(garments, embed(tower, [garment.views[-1] for garment in garments]))


def neighbours(asked: Shelf, known: Shelf) -> tuple[float, float]:
    """Return how often an asked garment's nearest has its category, and its main colour."""
    nearest = [known.garments[i] for i in (asked.rows @ known.rows.T).argmax(axis=1)]
    pairs = list(zip(asked.garments, nearest, strict=True))
    category = np.mean([a.facts.category == b.facts.category for a, b in pairs])
    colour = np.mean([a.facts.colours[:1] == b.facts.colours[:1] for a, b in pairs])
    return float(category), float(colour)


def embed(tower: Tower, views: Sequence[View]) -> NDArray[np.float32]:
    """Return unit rows (n, d) of views as the engine would cut them out."""
    rows = []
    with torch.inference_mode():
        for batch in batches(views, BATCH):
            pixels = to_tensor([served(view) for view in batch], SIDE)
            rows.append(F.normalize(tower(pixels), dim=1).numpy())
    return np.concatenate(rows)


if __name__ == "__main__":
    main()
