"""Train the bundled parser of worn garments.

    python -m training.parser --minutes 60 --out runs/parser
    python -m training.parser --start runs/parser/bundle/model.safetensors
        --teacher runs/parser/bundle --minutes 60 --out runs/parser-taught

The first command learns from Clothing Co-Parsing's masks; with a teacher, also from photos of which
only tags are known. `--resume` goes on after a stop.
"""

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from indexer.models.detection.parser_module import ParserModule
from training.checkpoints import TimedRun, half_cosine
from training.data.ccp import read_ccp
from training.parser.augmentation import Augmenter
from training.parser.evaluate import mean_ious, written
from training.parser.labels import CLASSES
from training.parser.losses import losses
from training.parser.network import ParserConfig, RunningMean, start_from, write_bundle
from training.parser.people import (
    LabelledPerson,
    balanced,
    ccp_people,
    pictures,
)
from training.parser.teacher import taught_people
from training.segmenter.packshots import nobody_paths

SOURCE = "trained on Clothing Co-Parsing; see MODEL_CARD.md"
LAST_LR = 0.02  # of the highest learning rate, at the end
WARM_STEPS = 100


def main() -> None:
    """Train as the command line says."""
    options = read_options()
    run = ParserRun(options)
    if options.resume:
        run.resume()
    run.train()


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; what the bundled model was made with is in its MODEL_CARD.md."""
    parser = argparse.ArgumentParser(prog="training.parser", description=__doc__)
    add = parser.add_argument
    add("--trunk", default="yolov8n", help="yolov8n, or a timm name such as tf_efficientnet_lite2")
    add("--start", type=Path, help="a detector's, an encoder's or a parser's model.safetensors")
    add("--height", type=int, default=320)
    add("--width", type=int, default=192)
    add("--batch", type=int, default=16)
    add("--lr", type=float, default=0.002, help="highest learning rate of AdamW")
    add("--trunk-lr", type=float, default=0.3, help="the trunk's, as a share of --lr")
    add("--evaluate-every", type=int, default=500)
    add("--minutes", type=float, default=60)
    add("--seed", type=int, default=0)
    add("--teacher", type=Path, help="a bundle that labels photos without masks")
    add("--trusted-times", type=int, default=2, help="show photos with masks N times")
    add("--device", default="cpu")
    add("--workers", type=int, default=1, help="processes that make views; 0: none beside this")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--out", type=Path, default=Path("runs/parser"))
    return parser.parse_args(arguments)


class Views(Dataset[tuple[np.ndarray, np.ndarray, float]]):
    """Views of people, each number another one of another seed."""

    def __init__(self, people: list[LabelledPerson], augmenter: Augmenter, seed: int) -> None:
        self.people, self.augmenter, self.seed = people, augmenter, seed
        self.length = 1_000_000

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> tuple[Any, Any, float]:
        random = Random(self.seed * 1_000_003 + number)
        epoch = Random(self.seed + number // len(self.people))
        order = epoch.sample(range(len(self.people)), len(self.people))
        person = self.people[order[number % len(self.people)]]
        view = self.augmenter.view(person, random)
        return view.pixels.transpose(2, 0, 1).copy(), view.classes.astype(np.int64), person.weight


class ParserRun(TimedRun):
    """One training run of the parser."""

    def __init__(self, options: argparse.Namespace) -> None:
        options.out.mkdir(parents=True, exist_ok=True)
        super().__init__(options.out / "checkpoint.pt", options.minutes * 60)
        self.options = options
        torch.manual_seed(options.seed)
        self.network = ParserModule(options.trunk, len(CLASSES)).to(
            memory_format=torch.channels_last
        )
        if options.start is not None:
            start_from(self.network, options.start)
        self.mean = RunningMean(self.network)
        trunk = list(self.network.trunk.parameters())
        rest = [p for n, p in self.network.named_parameters() if not n.startswith("trunk.")]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": trunk, "highest": options.lr * options.trunk_lr},
                {"params": rest, "highest": options.lr},
            ],
            lr=options.lr, weight_decay=0.02,
        )  # fmt: skip
        ccp = read_ccp()
        people = ccp_people(ccp, held_out=False)
        learned = people * options.trusted_times
        if options.teacher is not None:
            learned += taught_people(ccp, options.teacher)
        learned = balanced(learned, Random(options.seed))
        self.held_out = ccp_people(ccp, held_out=True)
        print(f"{len(people)} people with masks, {len(learned)} an epoch", flush=True)
        size = (options.height, options.width)
        augmenter = Augmenter(size, people, pictures(nobody_paths()))
        self.views = Views(learned, augmenter, options.seed)

    def train(self) -> None:
        """Train until the time is spent; leave the bundle in `out/bundle`."""
        start = self.step * self.options.batch
        numbers = range(start, len(self.views))
        workers = self.options.workers
        loader = DataLoader(
            self.views, self.options.batch, sampler=numbers, num_workers=workers,
            prefetch_factor=4 if workers else None, drop_last=True,
        )  # fmt: skip
        self._batches = iter(loader)
        self.network.train()
        self.take_steps(self._one_step)
        self._evaluate()

    def _one_step(self) -> Mapping[str, float]:
        pixels, classes, weights = next(self._batches)
        warm = min(1.0, (self.step + 1) / WARM_STEPS)
        share = warm * (LAST_LR + (1 - LAST_LR) * half_cosine(self.progress))
        for group in self.optimizer.param_groups:
            group["lr"] = group["highest"] * share
        logits, presence = self.network(
            (pixels.float() / 255).contiguous(memory_format=torch.channels_last)
        )
        parts = losses(logits, presence, classes, weights.float())
        self.optimizer.zero_grad()
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.mean.follow(self.network, self.step)
        told = {name: float(part.detach()) for name, part in parts.items()}
        if not math.isfinite(told["loss"]):
            raise ValueError(f"the loss is {told['loss']} at step {self.step}; lower --lr")
        if (self.step + 1) % self.options.evaluate_every == 0:
            self._evaluate()
        return told

    def _evaluate(self) -> None:
        size = (self.options.height, self.options.width)
        print(
            f"step {self.step}: {written(mean_ious(self.mean.network, self.held_out, size))}",
            flush=True,
        )
        config = ParserConfig(self.options.trunk, CLASSES, size, "AGPL-3.0", SOURCE)
        write_bundle(self.options.out / "bundle", self.mean.network, config)

    def state(self) -> dict[str, Any]:
        """Return all that the run needs to go on."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take a state over."""
        self.network.load_state_dict(saved["network"])
        self.mean.network.load_state_dict(saved["mean"])
        self.optimizer.load_state_dict(saved["optimizer"])


if __name__ == "__main__":
    main()
