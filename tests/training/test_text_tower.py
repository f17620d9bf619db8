from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder
from tests.training.test_encoder import start_state
from training.encoder.bundle import write_bundle
from training.encoder.captions import Claims, caption, fit_matrix, vocabulary
from training.encoder.photos import Facts
from training.encoder.text_tower import TextRun

RED_DRESS = Facts("dress", "dress", ("burgundy", "white"))
JEANS = Facts("bottom", "jeans", ("navy",), None, "men")
UNKNOWN = Facts("top")


def test_a_caption_claims_what_it_says_and_no_more() -> None:
    rng = np.random.default_rng(0)
    for facts in (RED_DRESS, JEANS):
        for _ in range(50):
            text, claims = caption(facts, rng)
            assert fit_matrix([claims], [facts]).tolist() == [[1]]
            assert (claims.gender is None) == (
                not {"men", "men's", "mens", "man"} & {*text.split()}
            )
            if claims.colour == "burgundy":
                assert set(text.split()) & {
                    "burgundy", "maroon", "wine", "bordeaux", "dark", "deep", "claret", "oxblood"
                }  # fmt: skip


def test_what_is_not_known_is_neither_right_nor_wrong() -> None:
    claims = [
        Claims(slot="dress"),
        Claims(category="jeans"),
        Claims(colour="red"),
        Claims(colour="blue", category="dress"),
        Claims(gender="men"),
    ]
    found = fit_matrix(claims, [RED_DRESS, JEANS, UNKNOWN])
    assert found.tolist() == [[1, 0, 1, 0, -1], [0, 1, 0, 0, 1], [0, -1, -1, -1, -1]]


def test_captions_are_made_of_the_vocabulary() -> None:
    rng = np.random.default_rng(0)
    known = {word for phrase in vocabulary() for word in phrase.split()}
    for facts in (RED_DRESS, JEANS, Facts("outer", "coat", ("grey",), "herringbone", "women")):
        for _ in range(50):
            assert set(caption(facts, rng)[0].split()) <= known


def test_the_text_tower_learns_and_unknown_words_say_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    facts = [RED_DRESS, JEANS, Facts("outer", "coat", ("white",)), Facts("top", "shirt", ("pink",))]
    many = [facts[i % 4] for i in range(300)]
    rows = F.normalize(torch.eye(16)[[i % 4 for i in range(300)]], dim=1).numpy()[:, None]
    run = TextRun(16, tmp_path / "text.pt", seconds=600)
    run.train(rows, many, np.random.default_rng(0), max_steps=30)
    resumed = TextRun(16, tmp_path / "text.pt", seconds=600)
    resumed.resume()
    assert resumed.step == run.step > 0
    write_bundle(tmp_path / "bundle", start_state(16), run.text_state())
    encoder = ClipEncoder.load(f"local-dir:{tmp_path / 'bundle'}", Runtime.choose("cpu"))
    assert encoder.speaks_text
    asked = encoder.embed_text(["burgundy dress", "navy jeans", "white coat", "pink shirt"])
    assert (asked[:, :4].argmax(axis=1) == np.arange(4)).all()
    table = run.model.token_embedding.weight
    assert not table[run.unused].any()
    assert table[~run.unused].any()
