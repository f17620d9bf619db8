"""One hostile picture file: its name, how it is made, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class HostileFile:
    """A file to be made; large ones are made only when their turn comes.

    `outcome` is "photo", or the type of the error, or empty where either will do.
    """

    name: str
    make: Callable[[], bytes]
    outcome: str = ""
