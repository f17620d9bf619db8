"""Download a model by its name into a folder of the home, from which it loads without a network.

An encoder becomes an open_clip folder: configuration, weights as safetensors, tokenizer if it has
one of its own. It is filled under another name, checked by loading it, then renamed, so that no
half model is ever found.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from indexer.errors import ModelError
from indexer.models.hub_client import copy_from_hub, fetch_file
from indexer.models.registry import (
    KNOWN,
    NOTES,
    OPEN_CLIP_CONFIG,
    UNKNOWN,
    Kind,
    ModelDescription,
    describe_folder,
    models_folder,
    write_notes,
)
from indexer.settings import Settings

WEIGHTS_FILE = "open_clip_model.safetensors"
# As open_clip looks for them, the safe format first.
HUB_WEIGHTS = (WEIGHTS_FILE, "open_clip_pytorch_model.bin")
MODEL_CARD = "README.md"
# What Hugging Face tokenizers are made of; a model has some of them.
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
)  # fmt: skip
# The release that ultralytics itself takes its weights from (utils/downloads.py of 8.4).
SEGMENTERS_URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


def pull(name: str, settings: Settings, called: str = "") -> ModelDescription:
    """Bring a model into the home, under its own name or as `called`; returns what is there now.

    Takes an open_clip `MODEL/PRETRAINED`, `hf-hub:OWNER/NAME`, an ultralytics `...-seg.pt`, or
    `local-dir:PATH` of a folder or such a file. Raises ModelError.
    """
    models = models_folder(settings)
    folder = models / (called or _folder_name(name))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder.name) or folder.parent != models:
        raise ModelError(
            f"{folder.name!r} cannot name a folder; give --as a name of letters, digits, . _ -"
        )
    if folder.exists():
        raise ModelError(f"{folder} is there already; use it, delete it, or give --as another name")
    with _room_for(folder) as part:
        notes = _fetch(name, part)
        kind = _kind_of(part)
        _check_loads(kind, part)
        is_local = name.startswith("local-dir:")
        own_name = called or notes.get("name") or (folder.name if is_local else name)
        known = next((each for each in KNOWN if each.name == own_name), None)
        write_notes(
            part,
            name=own_name,
            kind=kind,
            licence=known.licence if known else notes["licence"],
            source=known.source if known else notes["source"],
            pulled=datetime.now(UTC).date().isoformat(),
        )
        part.replace(folder)
    return describe_folder(folder)


def _folder_name(name: str) -> str:
    """`hf-hub:Marqo/marqo-fashionCLIP` -> `Marqo--marqo-fashionCLIP`, `/a/b.pt` -> `b`."""
    if name.startswith("local-dir:"):
        return Path(name.removeprefix("local-dir:")).absolute().name.removesuffix(".pt")
    return name.removeprefix("hf-hub:").removesuffix(".pt").replace("/", "--")


@contextmanager
def _room_for(folder: Path) -> Iterator[Path]:
    """Give a folder to fill beside; whatever happens, none is left there."""
    models = folder.parent
    models.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(models / ".lock", timeout=0):
            for left in models.glob(".part-*"):  # of a process that was killed
                shutil.rmtree(left)
            part = Path(tempfile.mkdtemp(prefix=".part-", dir=models))
            part.chmod(0o755)  # mkdtemp's is for one user only
            try:
                yield part
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except Timeout as error:
        raise ModelError(
            f"another `lapel models pull` into {models} is running; wait for it to end"
        ) from error


def _fetch(name: str, part: Path) -> dict[str, Any]:
    """Fill the folder with a model's files; returns what they say of it."""
    if name.startswith("local-dir:"):
        return _copy_local(Path(name.removeprefix("local-dir:")).expanduser(), part)
    if name.startswith("hf-hub:"):
        return _fetch_hub(name.removeprefix("hf-hub:"), part)
    if name.endswith(".pt"):
        return _fetch_segmenter(name, part)
    if re.fullmatch(r"[^/:]+/[^/:]+", name):
        architecture, tag = name.split("/")
        return _fetch_open_clip(architecture, tag, part)
    raise ModelError(
        f"{name!r} names no model; expected MODEL/PRETRAINED as open_clip names them, "
        "hf-hub:OWNER/NAME, a yolo...-seg.pt, or local-dir:PATH"
    )


def _copy_local(source: Path, part: Path) -> dict[str, Any]:
    notes: dict[str, Any] = {"source": "a folder of one's own", "licence": UNKNOWN}
    if source.suffix == ".pt" and source.is_file():
        shutil.copyfile(source, part / source.name)
        return notes
    if not source.is_dir():
        raise ModelError(f"no folder {source}; local-dir: needs a model's folder or a .pt file")
    shutil.copytree(source, part, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    if (part / NOTES).is_file():
        notes |= json.loads((part / NOTES).read_text("utf-8"))
    if (part / OPEN_CLIP_CONFIG).is_file():
        _to_safetensors(part)
    return notes


def _fetch_hub(repository: str, part: Path) -> dict[str, Any]:
    copy_from_hub(repository, [OPEN_CLIP_CONFIG, MODEL_CARD], part)
    if not (part / OPEN_CLIP_CONFIG).is_file():
        raise ModelError(
            f"hf-hub:{repository} has no {OPEN_CLIP_CONFIG}: it is not an open_clip model, "
            "and no other can be loaded"
        )
    _fetch_tokenizer(json.loads((part / OPEN_CLIP_CONFIG).read_text("utf-8"))["model_cfg"], part)
    # One after the other: a repository has gigabytes of each.
    if not any(copy_from_hub(repository, [each], part) for each in HUB_WEIGHTS):
        raise ModelError(
            f"hf-hub:{repository} has no weights that can be had: expected one of "
            f"{', '.join(HUB_WEIGHTS)} there, or brought here before"
        )
    _to_safetensors(part)
    return {"source": f"https://huggingface.co/{repository}", "licence": _licence_in(part)}


def _fetch_open_clip(architecture: str, tag: str, part: Path) -> dict[str, Any]:
    import open_clip
    from safetensors.torch import save_file

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if open_clip.get_model_config(architecture) is None or not tags:
        raise ModelError(f"open_clip knows no {architecture!r} with weights; see its README")
    if not open_clip.is_pretrained_cfg(architecture, tag):
        raise ModelError(f"open_clip knows no weights {tag!r} of {architecture}; it has {tags}")
    config = open_clip.get_model_config(architecture)
    listed = open_clip.get_pretrained_cfg(architecture, tag)
    repository = str(listed.get("hf_hub", "")).rpartition("/")[0]
    _fetch_tokenizer(config, part)
    if repository:  # asked for first: open_clip waits long for a hub that is out of reach
        copy_from_hub(repository, [MODEL_CARD], part)
    try:
        model = open_clip.create_model(architecture, pretrained=tag, require_pretrained=True)
    except Exception as error:  # a hub's client, a web server, a weight file
        raise ModelError(f"{architecture}/{tag} cannot be brought here: {error}") from error
    state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, part / WEIGHTS_FILE)
    preprocess = open_clip.get_model_preprocess_cfg(model)
    written = {"model_cfg": config, "preprocess_cfg": preprocess}
    (part / OPEN_CLIP_CONFIG).write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    source = f"https://huggingface.co/{repository}" if repository else listed.get("url", "")
    source = source or f"open_clip {architecture}/{tag}"
    return {"source": source, "licence": _licence_in(part)}


def _fetch_segmenter(name: str, part: Path) -> dict[str, Any]:
    url = f"{SEGMENTERS_URL}/{name}"
    if not re.fullmatch(r"[A-Za-z0-9._]+-seg\.pt", name):
        raise ModelError(
            f"{name!r} is no segmentation file of ultralytics; expected one such as yolo11n-seg.pt"
        )
    fetch_file(url, part / name)
    return {"source": url, "licence": "AGPL-3.0"}  # of all that ultralytics publishes


def _fetch_tokenizer(config: dict[str, Any], part: Path) -> None:
    """Bring the tokenizer of a model that does not use open_clip's own. Raises ModelError."""
    text = config.get("text_cfg", {})
    if text.get("hf_model_name"):
        raise ModelError(
            f"its text tower is built from {text['hf_model_name']!r} on the hub each time it is "
            "loaded, so it cannot be kept for use without a network"
        )
    repository = text.get("hf_tokenizer_name")
    if not repository:
        return
    if find_spec("transformers") is None:
        raise ModelError("its tokenizer needs the package transformers: `pip install transformers`")
    if not copy_from_hub(repository, TOKENIZER_FILES, part):
        raise ModelError(f"its tokenizer hf-hub:{repository} has none of the files expected")


def _licence_in(part: Path) -> str:
    """Return the licence that a hub's model card states in its first lines."""
    card = part / MODEL_CARD
    text = card.read_text("utf-8") if card.is_file() else ""
    line = re.search(r"^license: *(\S+)", text, re.MULTILINE)
    return line[1] if line else UNKNOWN


def _to_safetensors(part: Path) -> None:
    """Store weights of other formats as safetensors: no pickle is ever loaded again."""
    import open_clip
    from safetensors.torch import save_file

    if list(part.glob("*.safetensors")):
        return
    try:
        model = open_clip.create_model(f"local-dir:{part}", require_pretrained=True)
    except Exception as error:  # a config, a pickle: anything can fail
        raise ModelError(f"it cannot be loaded as an open_clip model: {error}") from error
    state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, part / WEIGHTS_FILE)
    for other in (*part.glob("*.bin"), *part.glob("*.pth"), *part.glob("*.pt")):
        other.unlink()


def _kind_of(folder: Path) -> Kind:
    if (folder / OPEN_CLIP_CONFIG).is_file():
        return "encoder"
    if (folder / "heads.json").is_file():
        return "attributes"
    if (folder / "config.json").is_file() or list(folder.glob("*.pt")):
        return "segmenter"
    raise ModelError(
        f"no model was found: expected {OPEN_CLIP_CONFIG} (an encoder), config.json or a .pt (a "
        "segmenter), or heads.json (attribute heads)"
    )


def _check_loads(kind: Kind, folder: Path) -> None:
    """Load the model as the engine will, so that what is there works. Raises ModelError."""
    from indexer.inference.runtime import Runtime
    from indexer.models.attribute_heads import AttributeHeads
    from indexer.models.detection.segmenter import Segmenter
    from indexer.models.encoder import ClipEncoder

    if kind == "encoder":
        ClipEncoder.load(f"local-dir:{folder}", Runtime.choose("cpu"))
    elif kind == "attributes":
        AttributeHeads.load(folder)
    else:
        Segmenter.load(next(iter(folder.glob("*.pt")), folder), Runtime.choose("cpu"))
