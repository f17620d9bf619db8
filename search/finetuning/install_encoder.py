"""Write a tuned encoder to a folder of the home, from which the engine loads it.

Written beside, loaded and checked as the engine will, then renamed: no half-written model is left.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import ModelError
from indexer.finetuning.map_folding import write_encoder
from indexer.inference.fingerprint import fingerprint_of_files
from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder
from indexer.models.open_clip_towers import FILES
from indexer.models.registry import ModelDescription, models_folder, write_notes
from indexer.settings import Settings
from search.finetuning.tune_encoder import CHECKED, Shop, Tuned

ATTRIBUTES = "attributes"  # the heads' folder, in the encoder's
REPORT, CURVE = "report.json", "learning-curve.png"
# A conversion to bf16 may turn embeddings so far (indexer/models/encoder.py), and float16 weights a
# little; a map that was multiplied into the wrong layer turns them anywhere.
LEAST_COSINE = 0.99


def source_of(model: Any) -> ModelDescription:
    """Return the encoder in use, if it is a folder here. Raises ModelError."""
    if isinstance(model, ModelDescription):
        return model
    raise ModelError(
        f"the encoder {model.name} is not in the home; bring it by `lapel models pull "
        f"{model.name}`, then train it"
    )


def install(
    tuned: Tuned, shop: Shop, source: ModelDescription, settings: Settings, out: Path | None,
    report: Mapping[str, Any], curve: Path,
) -> Path:  # fmt: skip
    """Write the encoder, its heads and the report to a new folder; returns the folder.

    Raises ModelError when the folder is there, or when it does not say what was tuned.
    """
    check_free(out)
    place = out.parent if out else models_folder(settings)
    with _beside(place) as part:
        write_encoder(source.folder, part, tuned.state)
        key = fingerprint_of_files([part / name for name in FILES])[:8]
        name = f"{re.sub('-tuned-[0-9a-f]{8}$', '', source.name)}-tuned-{key}"
        check_says(part, tuned, shop, settings)
        if tuned.heads.heads:
            tuned.heads.save(part / ATTRIBUTES)
        shutil.copyfile(curve, part / CURVE)
        (part / REPORT).write_text(json.dumps(report, indent=1) + "\n", "utf-8")
        said = f"{source.source}; tuned on a shop's own photos by `lapel train encoder`"
        write_notes(part, name=name, kind="encoder", licence=source.licence, source=said)
        folder = out or place / re.sub(r"[^A-Za-z0-9._-]+", "-", name)
        if folder.exists() and out is None:
            shutil.rmtree(folder)  # the same weights, by their name; the report may be another
        part.replace(folder)
    return folder


def check_free(out: Path | None) -> None:
    """Raise ModelError when the folder to write already exists."""
    if out is not None and out.exists():
        raise ModelError(f"{out} is there already; delete it, or give --out another folder")


def check_says(folder: Path, tuned: Tuned, shop: Shop, settings: Settings) -> None:
    """Load the folder as the engine will, and compare its embeddings. Raises ModelError."""
    encoder = ClipEncoder.load(f"local-dir:{folder}", Runtime.of(settings))
    pairs = [(encoder.embed(shop.crops(range(len(tuned.says)))), tuned.says)]
    if shop.texts is not None and tuned.hears is not None:
        pairs.append((encoder.embed_text(shop.texts.titles[:CHECKED]), tuned.hears))
    for found, expected in pairs:
        least = float(np.sum(found * expected, axis=1).min())
        if not least >= LEAST_COSINE:
            raise ModelError(
                f"the encoder as written does not say what was trained (cosine {least:.3f}, at "
                f"least {LEAST_COSINE} expected), so it was thrown away: its towers do not end in "
                "the projection that was taken for their last step; --full may do"
            )


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; it is removed whatever happens."""
    place.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".tuned-", dir=place))
    part.chmod(0o755)  # mkdtemp's is for one user only
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
