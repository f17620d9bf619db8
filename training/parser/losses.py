"""What the parser is trained to lower: cross-entropy of pixels, overlap of classes, presence."""

import torch
from torch import Tensor
from torch.nn import functional

from training.parser.labels import CLASSES, FOUND, IGNORED

# Of the pixels' loss; so that small things (bags, hats, shoes) are not lost among large ones.
WEIGHTS = {"background": 0.6, "shoes": 1.5, "bag": 1.5, "headwear": 3.0, "dress": 1.3, "outer": 1.2}
OVERLAP_SHARE, PRESENCE_SHARE = 0.5, 0.2
PRESENT_SHARE = 0.003  # of the view's pixels: less than this is a speck
SMOOTHING = 0.05  # annotators differ on outlines and names


def losses(logits: Tensor, presence: Tensor, classes: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Return the total loss and its parts.

    `logits` (n, c, h/4, w/4), `presence` (n, c), `classes` (n, h, w), `weights` (n,) how much each
    view's labels are believed.
    """
    small = classes[:, 2::4, 2::4]
    known = (small != IGNORED).float() * weights[:, None, None]
    target = torch.where(small == IGNORED, 0, small)
    by_class = torch.tensor([WEIGHTS.get(name, 1.0) for name in CLASSES])
    each = functional.cross_entropy(
        logits, target, weight=by_class, reduction="none", label_smoothing=SMOOTHING
    )
    pixels = (each * known).sum() / known.sum().clamp(min=1)
    overlap = _overlap_loss(logits.softmax(dim=1), target, known)
    present = functional.one_hot(target, len(CLASSES)).float() * (small != IGNORED)[..., None]
    is_there = (present.mean(dim=(1, 2)) > PRESENT_SHARE).float()
    worn = functional.binary_cross_entropy_with_logits(presence, is_there, reduction="none")
    there = (worn.mean(dim=1) * weights).mean()
    total = pixels + OVERLAP_SHARE * overlap + PRESENCE_SHARE * there
    return {"loss": total, "pixels": pixels, "overlap": overlap, "presence": there}


def _overlap_loss(chances: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return 1 - the soft Dice coefficient, a mean over the views' classes that are there."""
    numbers = [CLASSES.index(name) for name in FOUND]
    truth = torch.stack([(target == number).float() for number in numbers], dim=1)
    truth, chances = truth * known[:, None], chances[:, numbers] * known[:, None]
    shared = (truth * chances).sum(dim=(2, 3))
    sizes = truth.sum(dim=(2, 3)) + chances.sum(dim=(2, 3))
    dice = (2 * shared + 1) / (sizes + 1)
    is_there = (truth.sum(dim=(2, 3)) > 0).float()
    return ((1 - dice) * is_there).sum() / is_there.sum().clamp(min=1)
