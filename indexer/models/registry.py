"""List the models that are bundled, pulled or known, with licence, source, dimensions and hashes.

Loads none of them, and no library that runs them.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from indexer.errors import ModelError
from indexer.settings import WEIGHTS, Settings
from indexer.system.checksums import read_sums, write_sums

Kind = Literal["segmenter", "people", "parser", "encoder", "attributes", "colours", "matching"]
UNKNOWN = "unknown"
NOTES = "lapel.json"  # beside a pulled model: what is said of it here
OPEN_CLIP_CONFIG = "open_clip_config.json"


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model known to fit that is not shipped: what `lapel models pull` takes to bring it.

    `dim` is the embedding's length, None where there is none.
    """

    name: str
    kind: Kind
    licence: str
    source: str
    dim: int | None = None


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model that is here, and what a shop must know before it ships it."""

    name: str
    folder: Path
    licence: str
    source: str
    kind: Kind = "encoder"
    origin: Literal["bundled", "pulled", "set"] = "bundled"

    @property
    def dim(self) -> int | None:
        """Length of the embedding or of the attribute scores, by the model's own configuration."""
        try:
            if self.kind == "encoder":
                return int(_read_json(self.folder / OPEN_CLIP_CONFIG)["model_cfg"]["embed_dim"])
            if self.kind == "attributes":
                return sum(len(head["labels"]) for head in _read_json(self.folder / "heads.json"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the configuration of {self.name} in {self.folder} cannot be read: {error!r}; "
                "`lapel models verify` says which files are not as they were"
            ) from error
        return None

    @property
    def sha256(self) -> Mapping[str, str]:
        """The hash of each file, as listed beside them when the model was made or pulled."""
        return read_sums(self.folder)

    @property
    def setting(self) -> str:
        """What to write to use this model: `LAPEL_ENCODER=...`; empty for what needs no setting."""
        return setting_for(self.kind, self.folder)


BUNDLED: Mapping[str, ModelDescription] = {
    "people": ModelDescription(
        "lapel-people",
        WEIGHTS / "people",
        "AGPL-3.0",
        "YOLOv8n-seg (Ultralytics), trained on COCO: finds the people of a photo",
        "people",
    ),
    "parser": ModelDescription(
        "lapel-parser",
        WEIGHTS / "parser",
        "AGPL-3.0",
        "trunk of lapel-segmenter with a pixel classifier, trained by training/parser/__main__.py",
        "parser",
    ),
    "segmenter": ModelDescription(
        "lapel-segmenter",
        WEIGHTS / "segmenter",
        "AGPL-3.0",
        "YOLOv8n-seg (Ultralytics), fine-tuned on street photos by training/segmenter/__main__.py",
        "segmenter",
    ),
    "encoder": ModelDescription(
        "lapel-encoder",
        WEIGHTS / "encoder",
        "Apache-2.0",
        "EfficientNet-Lite2 (ImageNet), fine-tuned on garments by training/encoder/__main__.py",
    ),
    "attributes": ModelDescription(
        "lapel-attributes",
        WEIGHTS / "attributes",
        "Apache-2.0",
        "linear heads on lapel-encoder, trained by training/heads/attributes.py",
        "attributes",
    ),
    "colours": ModelDescription(
        "lapel-colours",
        WEIGHTS / "colours",
        "Apache-2.0; the names' survey is CC0",
        "colour names of the XKCD survey and of shops, labelled by training/heads/colours.py",
        "colours",
    ),
    "matching": ModelDescription(
        "lapel-matching",
        WEIGHTS / "matching",
        "Apache-2.0",
        "which garments go together, learned from street photos by training/heads/outfits.py",
        "matching",
    ),
}

# Licences and dimensions as their model cards and open_clip's configurations state them.
KNOWN: tuple[RemoteModel, ...] = (
    RemoteModel(
        "hf-hub:Marqo/marqo-fashionSigLIP",
        "encoder",
        "Apache-2.0",
        "https://huggingface.co/Marqo/marqo-fashionSigLIP, ViT-B-16-SigLIP on fashion products",
        768,
    ),
    RemoteModel(
        "hf-hub:Marqo/marqo-fashionCLIP",
        "encoder",
        "Apache-2.0",
        "https://huggingface.co/Marqo/marqo-fashionCLIP, ViT-B-16 on fashion products",
        512,
    ),
    RemoteModel(
        "ViT-B-32/laion2b_s34b_b79k",
        "encoder",
        "MIT",
        "https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        512,
    ),
    RemoteModel(
        "ViT-B-16-SigLIP/webli",
        "encoder",
        "Apache-2.0",
        "https://huggingface.co/timm/ViT-B-16-SigLIP",
        768,
    ),
    RemoteModel(
        "yolo11n-seg.pt",
        "segmenter",
        "AGPL-3.0",
        "https://github.com/ultralytics/assets; knows people, not garments: to train on",
    ),
)


def setting_for(kind: Kind, folder: Path | str) -> str:
    """Return the setting that takes a model of this kind from a folder."""
    if kind == "encoder":
        return f"LAPEL_ENCODER=local-dir:{folder}"
    if kind == "attributes":
        return f"LAPEL_ATTRIBUTES={folder}"
    return f"LAPEL_DETECTOR={folder}" if kind == "segmenter" else ""


def models_folder(settings: Settings) -> Path:
    """Return the folder of pulled models."""
    return settings.home / "models"


def bundled_models() -> tuple[ModelDescription, ...]:
    """Return the models that come with Lapel."""
    return tuple(BUNDLED.values())


def pulled_models(settings: Settings) -> tuple[ModelDescription, ...]:
    """Return the models in the home, by name. Raises ModelError."""
    folder = models_folder(settings)
    if not folder.is_dir():
        return ()
    found = (each for each in folder.iterdir() if not each.name.startswith("."))
    return tuple(
        sorted(
            (describe_folder(each) for each in found if (each / NOTES).is_file()),
            key=lambda model: model.name,
        )
    )


def write_notes(folder: Path, **notes: str | bool) -> None:
    """Write or complete the notes beside a model, and the hashes of all its files."""
    path = folder / NOTES
    written = {"speaks_text": True, **notes}  # as open_clip models do, unless noted otherwise
    if path.is_file():
        written = {**written, **_read_json(path), **notes}
    path.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    write_sums(folder)


def describe_folder(folder: Path) -> ModelDescription:
    """Return what the notes beside a pulled model say of it. Raises ModelError."""
    try:
        notes = _read_json(folder / NOTES)
        said = {name: str(notes[name]) for name in ("name", "licence", "source")}
        return ModelDescription(**said, folder=folder, kind=notes["kind"], origin="pulled")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / NOTES} cannot be read: {error!r}; delete {folder} and pull the model again"
        ) from error


def find_model(name: str, settings: Settings) -> ModelDescription:
    """Return the bundled or pulled model of this name or folder name. Raises ModelError."""
    here = (*bundled_models(), *pulled_models(settings), *used_models(settings))
    models = [model for model in here if isinstance(model, ModelDescription)]
    for model in models:
        if name in (model.name, model.folder.name):
            return model
    names = ", ".join(dict.fromkeys(model.name for model in models))
    raise ModelError(
        f"no model {name!r} here; there is {names}. Bring others with `lapel models pull`"
    )


def encoder_source(settings: Settings) -> str:
    """Return what the encoder is loaded from: a pulled copy is preferred to its remote name."""
    if not settings.encoder:
        return f"local-dir:{BUNDLED['encoder'].folder}"
    pulled = _pulled_as(settings.encoder, "encoder", settings)
    return f"local-dir:{pulled.folder}" if pulled else settings.encoder


def detector_source(settings: Settings) -> Path:
    """Return what the detector is loaded from: a folder, or an ultralytics file."""
    if not settings.detector:
        return BUNDLED["segmenter"].folder
    pulled = _pulled_as(settings.detector, "segmenter", settings)
    return weights_of(pulled) if pulled else Path(settings.detector)


def attributes_source(settings: Settings) -> Path | None:
    """Return the attribute heads' folder; None for an encoder of one's own without its heads."""
    if settings.attributes:
        return Path(settings.attributes)
    # The bundled heads read the bundled encoder's embeddings only.
    return None if settings.encoder else BUNDLED["attributes"].folder


def weights_of(segmenter: ModelDescription) -> Path:
    """Return what LAPEL_DETECTOR must name: the folder, or the ultralytics file in it."""
    return next(iter(sorted(segmenter.folder.glob("*.pt"))), segmenter.folder)


def used_models(settings: Settings) -> tuple[ModelDescription | RemoteModel, ...]:
    """Return the models that the settings, as they are, load."""
    sources: dict[Kind, str | Path | None] = {
        "segmenter": detector_source(settings),
        "encoder": encoder_source(settings),
        "attributes": attributes_source(settings),
    }
    set_so = (_used(kind, str(source), settings) for kind, source in sources.items() if source)
    unused = {"people", "parser"} if settings.detector else set()  # one detector in two steps
    others = (model for model in bundled_models() if not model.setting)
    return (*set_so, *(model for model in others if model.kind not in unused))


def _used(kind: Kind, source: str, settings: Settings) -> ModelDescription | RemoteModel:
    place = os.path.realpath(source.removeprefix("local-dir:"))
    for model in (*bundled_models(), *pulled_models(settings)):
        here = weights_of(model) if model.kind == "segmenter" else model.folder
        if model.kind == kind and os.path.realpath(here) == place:
            return model
    said_by = setting_for(kind, "").partition("=")[0]
    if source.startswith("local-dir:") or Path(source).exists():
        folder = Path(source.removeprefix("local-dir:"))
        return ModelDescription(folder.name, folder, UNKNOWN, f"set by {said_by}", kind, "set")
    for remote in KNOWN:
        if (remote.name, remote.kind) == (source, kind):
            return remote
    return RemoteModel(source, kind, UNKNOWN, f"set by {said_by}")


def _pulled_as(name: str, kind: Kind, settings: Settings) -> ModelDescription | None:
    models = pulled_models(settings)
    return next((each for each in models if (each.name, each.kind) == (name, kind)), None)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
