"""Models of other kinds than the bundled ones through the runtime: ViT-B-32 and SigLIP, small."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer

from indexer.errors import ModelError
from indexer.inference.conversion_check import min_cosine
from indexer.inference.export_cache import ExportCache
from indexer.inference.runtime import Runtime
from indexer.models.encoder import BOUNDS, ClipEncoder
from tests.indexer.description.test_describe import drawn as drawn_photos
from tests.support.tiny_open_clip import PREPROCESS


@register_model
def vit_siglip_test(pretrained: bool, **options: Any) -> VisionTransformer:
    """timm's SigLIP tower, small: no class token, pooled by attention, no projection."""
    small: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2}
    kept = {name: options[name] for name in ("num_classes", "global_pool")}
    return VisionTransformer(**small, **kept, num_heads=2, class_token=False)


def like_vit_b_32() -> dict[str, Any]:
    config: dict[str, Any] = open_clip.get_model_config("ViT-B-32")
    for tower in ("vision_cfg", "text_cfg"):
        config[tower] |= {"layers": 1}  # of twelve that are the same, to take seconds
    return config


def like_siglip() -> dict[str, Any]:
    config: dict[str, Any] = open_clip.get_model_config("ViT-B-16-SigLIP")
    config["vision_cfg"] |= {"timm_model_name": "vit_siglip_test", "image_size": 32}
    config["text_cfg"] |= {"width": 32, "heads": 2, "layers": 1, "vocab_size": 49408}
    del config["text_cfg"]["hf_tokenizer_name"]  # it would be fetched from a hub
    return config | {"embed_dim": 32}


@pytest.mark.parametrize("config", [like_vit_b_32, like_siglip])
def test_vit_b_32_and_siglip_are_compiled(
    config: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    folder = make_random(tmp_path / "model", config())
    crops = [photo.pixels for photo in drawn_photos(3)]
    exact = ClipEncoder.load(f"local-dir:{folder}", Runtime.choose("cpu"))
    compiled = ClipEncoder.load(
        f"local-dir:{folder}", Runtime("cpu", "auto", ExportCache(tmp_path / "cache"))
    )
    assert compiled.placement.engine == "openvino"
    assert compiled.placement.precision in ("bf16", "fp32")  # whichever is faster here
    assert min_cosine(exact.embed(crops), compiled.embed(crops)) >= BOUNDS["bf16"]
    texts = ["blue jeans", "a red dress"]
    assert min_cosine(exact.embed_text(texts), compiled.embed_text(texts)) >= BOUNDS["bf16"]


def make_random(folder: Path, config: dict[str, Any]) -> Path:
    """Write an open_clip model of this configuration with random weights to a new folder."""
    folder.mkdir()
    torch.manual_seed(1)
    kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    said = {name: value for name, value in config.items() if name != "custom_text"}
    save_file(kind(**said).state_dict(), folder / "open_clip_model.safetensors")
    written = {"model_cfg": config, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(written), "utf-8")
    return folder


def test_a_tokeniser_that_is_missing_is_missed_by_texts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = like_siglip()
    config["text_cfg"]["hf_tokenizer_name"] = str(tmp_path / "tokeniser")
    folder = make_random(tmp_path / "model", config)
    encoder = ClipEncoder.load(f"local-dir:{folder}", Runtime.choose("cpu"))
    assert encoder.embed([photo.pixels for photo in drawn_photos(2)]).shape == (2, 32)
    monkeypatch.setitem(sys.modules, "transformers", None)  # as where it is not installed
    with pytest.raises(ModelError, match=r"lapel\[siglip\]"):
        encoder.embed_text(["blue jeans"])
