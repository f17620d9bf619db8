"""Check that the models of the settings made the catalogue, and on which device they run."""

import platform
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import LapelError
from indexer.maintenance.check_result import CheckResult, failure, ok
from indexer.settings import Settings

PACKAGES = ("lapel", "torch", "open_clip_torch", "ultralytics", "faiss-cpu", "sqlalchemy")


def examine_models(settings: Settings) -> Iterator[CheckResult]:
    """Load the models and check them. Takes seconds."""
    from indexer.models.loading import load_models

    yield ok("versions", ", ".join(versions()))
    try:
        models = load_models(settings)
    except LapelError as error:
        yield failure("models", str(error), "mend that first, or unset the setting it names")
        return
    detector, encoder = _runs_on(models.detector), _runs_on(models.encoder)
    yield ok("device", f"detector on {detector}; encoder on {encoder}")
    try:
        made_by = Catalogue.open(settings).row().fingerprint
    except LapelError:
        return  # reported already
    loaded = models.fingerprint
    if made_by is None or made_by == loaded:
        yield ok("fingerprint", f"the models loaded now are {loaded}, which made this catalogue")
    else:
        yield failure(
            "fingerprint",
            f"the catalogue was made by models {made_by}, those loaded now are {loaded}",
            "run `lapel reembed`, or set LAPEL_DETECTOR, LAPEL_ENCODER and LAPEL_ATTRIBUTES as "
            "they were",
        )


def versions() -> Iterator[str]:
    """Yield the names and versions of the software in use."""
    yield f"Python {platform.python_version()}"
    yield f"SQLite {sqlite3.sqlite_version}"
    for package in PACKAGES:
        try:
            yield f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"{package} (version unknown)"


def _runs_on(model: Any) -> str:
    """Return the actual device and precision of a model's networks, not the ones asked for."""
    parts = list(vars(model).values())
    placements = (getattr(part, "placement", None) for part in parts)
    if names := sorted({str(each) for each in placements if each and not callable(each)}):
        return " and ".join(names)
    import torch

    modules = (each for each in parts if isinstance(each, torch.nn.Module))
    first = next((weight for module in modules for weight in module.parameters()), None)
    if first is None:
        return "unknown"
    return f"{first.device}, torch, {first.dtype}".replace("torch.", "")
