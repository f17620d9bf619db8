"""Quantise an exported network to int8, calibrated on pictures of the catalogue.

Post-training quantisation by NNCF: the range of each layer's activations is observed on the
thumbnails of the shop's own photos. `precision.py` decides whether a network runs in int8.
"""

import logging
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ModelError, PhotoError
from indexer.images.photo import read_photo
from indexer.inference.export_cache import XML

log = logging.getLogger("lapel")
ENOUGH = 32  # photos; fewer show too little of a layer's range
MOST = 96  # photos: ranges settle well before, and more would only take longer


def catalogue_pictures(home: Path) -> Sequence[NDArray[np.uint8]]:
    """Return some RGB pictures of the home's catalogues; none when they are too few."""
    paths = sorted((home / "thumbnails").glob("*/*.jpg"))  # by hash: no order of the shop's
    pictures = []
    for path in islice(paths, 2 * MOST):
        try:
            pictures.append(read_photo(path).pixels)
        except PhotoError:
            continue  # its photo can be unlinked meanwhile, and it is but one of many
    if len(pictures) < ENOUGH:
        log.warning(
            "int8 is calibrated on a catalogue's own photos, at least %d, and %s has %d; until "
            "more are indexed, models run less fast and more exactly", ENOUGH, home, len(pictures),
        )  # fmt: skip
        return ()
    return pictures[:MOST]


def quantise(exact: Path, batch: NDArray[np.float32], folder: Path) -> None:
    """Write an exported network again, into a folder, with int8 weights and activations.

    `batch` (n, 3, h, w) is what it is calibrated on. Takes a minute. Raises ModelError where NNCF
    is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # else it reports its use to its maker
    try:
        import nncf
    except ImportError as error:
        raise ModelError(
            "LAPEL_PRECISION=int8 needs NNCF: install `lapel[int8]`, or set LAPEL_PRECISION=auto"
        ) from error
    import openvino

    nncf.set_log_level(logging.ERROR)
    network = openvino.Core().read_model(exact)
    kinds = {operation.get_type_name() for operation in network.get_ops()}
    attends = bool(kinds & {"ScaledDotProductAttention", "MVN"})
    quantised = nncf.quantize(
        network,
        nncf.Dataset([each[None] for each in batch]),
        subset_size=len(batch),
        preset=nncf.QuantizationPreset.MIXED,  # SiLU and GELU are not symmetric
        model_type=nncf.ModelType.TRANSFORMER if attends else None,
        # A detector's last steps turn bins into pixels: in 256 steps, boxes move.
        ignored_scope=nncf.IgnoredScope(types=["Sigmoid", "Softmax"], validate=False),
    )
    openvino.serialize(quantised, folder / XML)
