"""Short hashes that identify a model with its preprocessing."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

LENGTH = 16  # hex digits: 64 bits, far more than the models one shop will ever compare


def fingerprint_of(module: "nn.Module", preprocessing: str) -> str:
    """Return 16 hex digits that change with any weight or any word of the preprocessing."""
    digest = hashlib.sha256(preprocessing.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:LENGTH]


def combine(*parts: str) -> str:
    """Return one fingerprint for several, in this order."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:LENGTH]


def fingerprint_of_files(paths: Iterable[Path], *parts: str) -> str:
    """Return one name for files' contents and all else that matters; empty when one is not there.

    Costs a read: a module need not be built to know that it is another one.
    """
    digests = []
    for path in paths:
        try:
            with path.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
        except OSError:
            return ""
    return combine(*digests, *parts)
