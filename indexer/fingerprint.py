"""A model and how it is fed in, a short name for what it computes out."""

import hashlib

from torch import nn

LENGTH = 16  # hex digits: 64 bits, far more than the models one shop will ever compare


def fingerprint_of(module: nn.Module, preprocessing: str) -> str:
    """Return 16 hex digits that change with any weight or any word of the preprocessing."""
    digest = hashlib.sha256(preprocessing.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:LENGTH]


def combine(*parts: str) -> str:
    """Return one fingerprint for several, in this order."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:LENGTH]
