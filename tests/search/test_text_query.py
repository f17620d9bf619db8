"""Words find garments of the right slot, kind and colour in the indexed sample shop."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import QueryError, TextTowerUntrained
from indexer.models.loading import Models
from indexer.vocabulary.colour_terms import basic_name
from search.query.options import Options
from search.query.text_query import MAX_CHARACTERS, read_text
from search.searcher import Searcher
from tests.support.sample_shop import Shop


@pytest.fixture
def searcher(catalogue: Catalogue, describer: Describer) -> Searcher:
    return Searcher(catalogue, describer)


class KnowsNoText:
    """An Encoder whose text tower was never trained."""

    fingerprint = "knows-no-text"
    speaks_text = False
    fill = (128, 128, 128)
    dim = 256

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        raise AssertionError("no photo is asked for")

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise TextTowerUntrained("this encoder knows no text")


def test_words_find_kind_and_colour(searcher: Searcher, shop: Shop) -> None:
    pairs = sorted({(item.category, item.colour) for item in shop.items})
    kinds, colours, slots = [], [], []
    for category, colour in pairs:
        answer = searcher.search_text(f"{colour} {category}", Options(k=1))
        (hit,) = answer.hits
        assert answer.text is not None
        slots.append(hit.item.slot == answer.text.slot)
        kinds.append(hit.item.category == answer.text.category)
        colours.append(basic_name(hit.item.colour or "") == basic_name(colour))
    assert all(slots)
    assert np.mean(kinds) > 0.6
    assert np.mean(colours) > 0.7


def test_what_words_say_is_read_and_brands_are_passed_over(models: Models) -> None:
    plain, branded = (read_text(t, models) for t in ("navy jeans", "Zyxxo Navy Jeans"))
    assert (plain.slot, plain.category, plain.colours) == ("bottom", "jeans", ("navy",))
    assert (branded.slot, branded.category, branded.colours) == ("bottom", "jeans", ("navy",))
    assert float(plain.vector @ branded.vector) / float(plain.vector @ plain.vector) > 0.9
    for part in models.layout.slices().values():
        length = np.linalg.norm(plain.vector[part])
        assert length == pytest.approx(1, abs=1e-3) or length == 0


def test_the_slot_named_is_searched_unless_it_is_not_strict(searcher: Searcher) -> None:
    everywhere = searcher.search_text("red skirt", Options(k=50, strict_slot=False)).hits
    bottoms = searcher.search_text("red skirt", Options(k=50)).hits
    assert {hit.item.slot for hit in bottoms} == {"bottom"}
    assert {hit.item.slot for hit in everywhere} > {"bottom"}
    tops = searcher.search_text("red", Options(k=50, garment="top")).hits
    assert {hit.item.slot for hit in tops} == {"top"}


@pytest.mark.parametrize("text", ["", "  \n", "x" * (MAX_CHARACTERS + 1)])
def test_texts_that_ask_nothing_are_refused(text: str, searcher: Searcher) -> None:
    with pytest.raises(QueryError):
        searcher.search_text(text, Options())


def test_a_text_of_unknown_words_is_answered_with_a_warning(searcher: Searcher) -> None:
    (warning,) = searcher.search_text("something nice", Options(k=3)).warnings
    assert "guess" in warning


def test_an_encoder_without_text_still_knows_colours_and_kinds(models: Models) -> None:
    mute = replace(models, encoder=KnowsNoText())
    query = read_text("navy jeans", mute)
    visual, colour = (query.vector[mute.layout.slices()[part]] for part in ("visual", "colour"))
    assert not visual.any()
    assert np.linalg.norm(colour) == pytest.approx(1, abs=1e-3)
    with pytest.raises(TextTowerUntrained):
        read_text("something nice", mute)


def test_the_command_line_takes_texts(
    monkeypatch: pytest.MonkeyPatch, catalogue: Catalogue, models: Models
) -> None:
    monkeypatch.setattr("indexer.models.loading.load_models", lambda settings, *_: models)
    home = str(catalogue.settings.home)
    words = ["--home", home, "search", "--text", "blue jeans", "--text", " ", "--json", "--k", "2"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert (good["text"], len(good["garments"])) == ("blue jeans", 1)
    (garment,) = good["garments"]
    assert (garment["slot"], garment["colours"]) == ("bottom", [{"name": "blue"}])
    assert len(garment["results"]) == 2
    assert bad["error"]["type"]
    table = CliRunner().invoke(app, ["--home", home, "search", "--text", "blue jeans"])
    assert table.exit_code == 0
    assert "read as: blue, jeans" in table.stdout
    nothing = CliRunner().invoke(app, ["--home", home, "search"])
    assert nothing.exit_code == 2
    assert "--text" in nothing.stderr
