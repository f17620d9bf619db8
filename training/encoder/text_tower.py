"""Train a text tower on captions, with the image tower locked.

    python -m training.encoder.text_tower [--minutes 12] [--bundle indexer/weights/encoder]

The image tower is locked and its embeddings are computed once (Zhai et al., LiT, CVPR 2022), so
that only the small text tower learns. The loss is a sigmoid for each pair of a caption and a
garment (Zhai et al., SigLIP, ICCV 2023): a caption is right for every garment that has what it
claims, wrong for those that lack it, and passed over where that is not known. Tokens that occur in
no caption stay zero: a brand's name moves a query nowhere.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import BUNDLED
from training.checkpoints import TimedRun, half_cosine
from training.encoder.augmentation import augment, served
from training.encoder.batches import MIN_EXAMPLES, rarity
from training.encoder.bundle import bundle_config, read_tower, write_bundle
from training.encoder.captions import caption, fit_matrix, vocabulary
from training.encoder.photos import Facts, Garment, read_garments

BATCH = 160
VIEWS = 2  # embeddings a garment: as served, and as the street may give it
LEARNING_RATE = 1e-3
DROP_TOKENS = 0.15  # share of captions that get a meaningless token, as a brand's name is


def main() -> None:
    """Train for the given time and write the text tower into the bundle."""
    parser = argparse.ArgumentParser(prog="training.encoder.text_tower", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLED["encoder"].folder)
    parser.add_argument("--work", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    garments = read_garments(options.work / "garments.pt")
    trained = [g for g in garments if g.part == "train"]
    encoder = ClipEncoder.load(f"local-dir:{options.bundle}", Runtime.choose())
    rows = image_rows(trained, encoder, np.random.default_rng(options.seed))
    run = TextRun(encoder.dim, options.work / "text.pt", options.minutes * 60)
    if options.resume:
        run.resume()
    run.train(rows, [g.facts for g in trained], np.random.default_rng([options.seed, run.step]))
    write_bundle(options.bundle, read_tower(options.bundle), run.text_state())
    print(f"the text tower is in {options.bundle} after {run.step} steps")


def image_rows(
    garments: Sequence[Garment], encoder: ClipEncoder, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return unit rows (garments, VIEWS, d): as served first, then augmented."""
    rows = []
    for garment in tqdm(garments, desc="embed", unit="garment"):
        others = rng.integers(0, len(garments), VIEWS - 1)
        crops = [served(garment.views[0])]
        for n, other in enumerate(others):
            view = garment.views[n % len(garment.views)]
            crops.append(augment(view, garments[other].views[0], rng))
        rows.append(encoder.embed(crops))
    return np.stack(rows)


class TextRun(TimedRun):
    """One training run of the text tower: can be stopped and resumed."""

    def __init__(self, dim: int, checkpoint: Path, seconds: float) -> None:
        super().__init__(checkpoint, seconds)
        config = bundle_config(dim)["model_cfg"]
        self.model: Any = open_clip.CLIP(dim, config["vision_cfg"], config["text_cfg"])
        self.tokenizer = open_clip.SimpleTokenizer(
            context_length=config["text_cfg"]["context_length"]
        )
        used = self.tokenizer(vocabulary()).unique()
        self.unused = torch.ones(config["text_cfg"]["vocab_size"], dtype=torch.bool)
        self.unused[used] = False
        self.noise = self.unused.nonzero().flatten()
        with torch.no_grad():
            self.model.token_embedding.weight[self.unused] = 0
        self.scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-6.0))
        named = [p for n, p in self.model.named_parameters() if not n.startswith("visual.")]
        self.trained = [*named, self.scale, self.bias]
        self.optimiser = torch.optim.AdamW(self.trained, LEARNING_RATE, weight_decay=0.01)

    def text_state(self) -> dict[str, torch.Tensor]:
        """Return the weights of all but the image tower."""
        state = self.model.state_dict().items()
        return {name: tensor for name, tensor in state if not name.startswith("visual.")}

    def state(self) -> dict[str, Any]:
        """Return the weights and what the optimiser knows."""
        return {"text": self.text_state(), "optimiser": self.optimiser.state_dict(),
                "scale": self.scale.data, "bias": self.bias.data}  # fmt: skip

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take a `state` over."""
        self.model.load_state_dict(saved["text"], strict=False)
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scale.data, self.bias.data = saved["scale"], saved["bias"]

    def train(
        self,
        rows: NDArray[np.float32],
        facts: Sequence[Facts],
        rng: np.random.Generator,
        max_steps: float = math.inf,
    ) -> None:
        """Take steps until the time is spent, or so many in all."""
        share = rarity([(f.category, f.pattern) for f in facts], MIN_EXAMPLES)
        self.take_steps(lambda: self._step(*self._batch(rows, facts, share, rng)), max_steps)

    def _batch(
        self,
        rows: NDArray[np.float32],
        facts: Sequence[Facts],
        share: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return embeddings (n, d), tokens (n, context), and whether they fit: 1, 0, or -1."""
        chosen = rng.choice(len(facts), BATCH, replace=False, p=share)
        written = [caption(facts[i], rng) for i in chosen]
        tokens = self.tokenizer([text for text, _ in written])
        for row in np.flatnonzero(rng.random(BATCH) < DROP_TOKENS):
            self._insert_noise(tokens[int(row)], rng)
        views = rng.integers(0, rows.shape[1], BATCH)
        fit = fit_matrix([claims for _, claims in written], [facts[i] for i in chosen])
        return torch.from_numpy(rows[chosen, views]), tokens, torch.from_numpy(fit)

    def _insert_noise(self, tokens: torch.Tensor, rng: np.random.Generator) -> None:
        end = int(tokens.argmax())  # the end token has the largest number
        if end + 1 < len(tokens):
            at = int(rng.integers(1, end + 1))
            tokens[at + 1 :] = tokens[at:-1].clone()
            tokens[at] = self.noise[int(rng.integers(len(self.noise)))]

    def _step(
        self, images: torch.Tensor, tokens: torch.Tensor, fit: torch.Tensor
    ) -> dict[str, float]:
        rate = LEARNING_RATE * min((self.step + 1) / 50, half_cosine(self.progress) + 1e-3)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        texts = F.normalize(self.model.encode_text(tokens), dim=1)
        logits = images @ texts.T * self.scale.exp() + self.bias
        known, right = fit >= 0, (fit == 1).float()
        each = F.binary_cross_entropy_with_logits(logits, right, reduction="none")
        loss = (each * known).sum() / len(images)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.model.token_embedding.weight.grad[self.unused] = 0
        self.optimiser.step()
        return {"loss": float(loss.detach())}


if __name__ == "__main__":
    main()
