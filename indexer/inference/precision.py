"""Decide in which numbers a network runs: int8, bf16 or fp32.

int8 is tried only when asked for; bf16 where this CPU has it and gains by it. Either is refused
where a network's answers differ from the exact ones by more than its bound allows.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Literal

from indexer.inference.openvino_network import Precision, has_bf16

log = logging.getLogger("lapel")
PRECISIONS: tuple[Precision, ...] = ("int8", "bf16", "fp32")  # each falls back to the next
# Not every CPU that has bf16 is faster in it: on an Intel Xeon whose AMX is hidden by its virtual
# machine the bundled models take 1.7 times as long as in fp32. Of no gain, the exact one is taken.
WORTH_IT = 1.1


def allowed_precisions(
    setting: Precision | Literal["auto"], bounds: Collection[Precision]
) -> list[Precision]:
    """Return the precisions to try, in order, of those that have a bound."""
    first: Precision = "bf16" if setting == "auto" else setting
    if setting == "bf16" and not has_bf16():
        log.warning("this CPU has no bf16; LAPEL_PRECISION=bf16 runs as fp32")
    candidates = PRECISIONS[PRECISIONS.index(first) :]
    return [each for each in candidates if each in bounds and (each != "bf16" or has_bf16())]


def is_close_enough(
    name: str, precision: Precision, closeness: float, bounds: Mapping[Precision, float]
) -> bool:
    """Tell whether a network may answer in this precision; a refusal is logged."""
    bound = bounds[precision]
    if closeness >= bound:
        return True
    log.warning(
        "the %s is not run in %s: its answers would be %.4f like the exact ones, less than %g",
        name, precision, closeness, bound,
    )  # fmt: skip
    return False
