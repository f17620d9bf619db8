"""Fit linear layers on folds of whole groups."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

FOLDS = 5
STEPS = 300  # of full-batch AdamW: the loss on what is learned from is nearly nothing by then
LEARNING_RATE, WEIGHT_DECAY = 0.05, 1e-3  # as indexer/finetuning/head_training.py
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Labels = NDArray[np.int64] | NDArray[np.float32]


def folds(groups: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Tell for each fold which rows are held out: every fifth group, shuffled once."""
    order = np.random.default_rng(0).permutation(groups.max() + 1)
    for fold in range(FOLDS):
        yield order[groups] % FOLDS == fold


def fit(
    inputs: NDArray[np.float32],
    truth: Labels,
    n: int,
    loss: Loss,
    start: torch.nn.Linear | None = None,
    steps: int = STEPS,
) -> torch.nn.Linear:
    """Return a linear layer of n labels, trained from a new one or on from another."""
    torch.set_num_threads(1)  # of some hundred rows: threads would only wait for each other
    torch.manual_seed(0)
    layer = torch.nn.Linear(inputs.shape[1], n)
    if start is not None:
        layer.load_state_dict(start.state_dict())
    x, y = torch.from_numpy(inputs), torch.from_numpy(truth)
    optimiser = torch.optim.AdamW(layer.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(layer(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return layer


def logits(layer: torch.nn.Linear, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a layer says (n, labels)."""
    with torch.no_grad():
        return np.asarray(layer(torch.from_numpy(inputs)), np.float32)


def cell(values: list[float]) -> str:
    """Write the folds' mean and standard deviation."""
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"
