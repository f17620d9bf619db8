"""Run a training that can be stopped and resumed, for a number of steps or a time."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

SAVE_EVERY_S = 120.0  # what a stop may cost; a save takes a second
RECENT = 50  # steps whose losses are told together: one alone says little


def save_beside(content: object, path: Path) -> None:
    """Write a file beside and then in place: a stop leaves the old one whole."""
    beside = path.with_suffix(".new")
    torch.save(content, beside)
    beside.replace(path)


def half_cosine(progress: float) -> float:
    """Return what is left of a learning rate that falls from 1 to 0 while progress rises."""
    return 0.5 + 0.5 * math.cos(math.pi * progress)


class TimedRun(ABC):
    """One training run that takes steps until its time is spent, in one go or in several."""

    def __init__(self, checkpoint: Path, seconds: float) -> None:
        self.checkpoint, self.seconds = checkpoint, seconds
        self.step, self.spent = 0, 0.0

    @property
    def progress(self) -> float:
        """The share of the time that is spent, 0..1."""
        return min(1.0, self.spent / self.seconds)

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return all that the run needs to go on, as `torch.load` reads with weights only."""

    @abstractmethod
    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take a `state` over."""

    def save(self) -> None:
        """Write the checkpoint."""
        save_beside({**self.state(), "step": self.step, "spent": self.spent}, self.checkpoint)

    def resume(self) -> None:
        """Go on from the last checkpoint. Raises FileNotFoundError."""
        saved = torch.load(self.checkpoint, weights_only=True)
        self.restore(saved)
        self.step, self.spent = saved["step"], saved["spent"]

    def take_steps(
        self, one_step: Callable[[], Mapping[str, float]], max_steps: float = math.inf
    ) -> None:
        """Take steps until the time is spent, or so many in all; tell their losses now and then."""
        saved = began = time.monotonic()
        before, losses = self.spent, []
        while self.spent < self.seconds and self.step < max_steps:
            losses.append(one_step())
            self.step += 1
            self.spent = before + time.monotonic() - began
            if time.monotonic() - saved > SAVE_EVERY_S:
                saved = time.monotonic()
                self.save()
                print(f"{self.spent / 60:.1f} min, step {self.step}: {told(losses)}", flush=True)
        self.save()


def told(losses: list[Mapping[str, float]]) -> str:
    """Write the means of the last steps' losses."""
    recent = losses[-RECENT:]
    means = {name: np.mean([each[name] for each in recent]) for name in recent[-1]}
    return ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())
