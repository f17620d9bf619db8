"""What goes together: the bundled table, the catalogue's own looks; both on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import ModelError, QueryError
from indexer.fused_vector import Layout
from indexer.ingest.companions import find_companions, overlap
from indexer.models.loading import Models
from indexer.storage.tables import CompanionRow, GarmentRow, PhotoRow
from search.query.options import Options
from search.recommend.co_worn import CoWorn, Pairs
from search.recommend.compatibility import FOLDER, Compatibility, read_compatibility
from search.recommend.recommender import Recommender, Taste, slots_beside
from search.searcher import Searcher
from tests.support.sample_shop import Shop


@pytest.fixture
def recommender(catalogue: Catalogue, describer: Describer) -> Recommender:
    return Recommender(Searcher(catalogue, describer))


def test_the_bundled_table_is_small_and_whole() -> None:
    matching = Compatibility.bundled()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 1_000_000
    for slots in (("top", "bottom"), ("bottom", "top"), ("dress", "outer"), ("outer", "top")):
        table = matching.table(*slots)
        assert table is not None
        assert all(np.isfinite(each).all() for each in (*table.maps, *table.means, table.affinity))
        assert table.fit[0] > 0  # colours help, by the training photos
        assert table.fit[1] >= 0  # kinds of dresses and coats do not
        assert table.kind_scores(["no such kind"], ["jeans"]).tolist() == [[0.0]]
    assert matching.table("top", "dress") is None


def test_a_pair_goes_together_as_well_from_both_sides() -> None:
    matching, rng = Compatibility.bundled(), np.random.default_rng(0)
    table, turned = matching.table("top", "bottom"), matching.table("bottom", "top")
    assert table is not None
    assert turned is not None
    colours = rng.random((3, len(table.means[0]))).astype(np.float32)
    others = rng.random((4, len(table.means[0]))).astype(np.float32)
    one, other = table.colour_scores(colours, others), turned.colour_scores(others, colours)
    assert np.allclose(one, other.T, atol=1e-3)


def test_a_broken_table_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"python -m training\.heads\.outfits"):
        read_compatibility(tmp_path)


def test_slots_worn_beside_others() -> None:
    accessories = ["shoes", "bag", "headwear"]
    assert slots_beside({"top"}) == ["bottom", "outer", *accessories]
    assert slots_beside({"top", "bottom"}) == ["outer", *accessories]
    assert slots_beside({"dress"}) == ["outer", *accessories]
    assert slots_beside({"dress", "outer"}) == accessories
    assert slots_beside({"shoes"}) == ["top", "bottom", "dress", "outer", "bag", "headwear"]
    assert slots_beside({"dress", "shoes", "bag"}) == ["outer", "headwear"]
    assert slots_beside({"top", "bottom", "shoes"}) == ["outer", "bag", "headwear"]


def test_partners_of_the_most_similar_count_most() -> None:
    layout = Layout(2, 2, 2)
    red, blue = (np.tile(np.eye(2, dtype=np.float16)[i], 3) for i in (0, 1))
    pairs = Pairs(np.stack([red, blue]), np.stack([blue, red]))
    partner = pairs.partner(layout, red.astype(np.float32), {})
    assert np.allclose(partner.vector, blue, atol=1e-3)
    assert partner.trust == pytest.approx(0.5, abs=1e-3)
    assert partner.looks == 1
    nothing = Pairs(np.zeros((0, 6), np.float16), np.zeros((0, 6), np.float16))
    assert nothing.partner(layout, red.astype(np.float32), {}).trust == 0


def test_own_looks_are_learned_once_and_count(
    catalogue: Catalogue, describer: Describer, recommender: Recommender, shop: Shop
) -> None:
    top = next(item for item in shop.items if item.slot == "top")
    before = recommender.complete(top.item_id, Options(k=3), ["bottom"])[0]
    assert (before.trust, before.looks) == (0.0, 0)
    photos = 2 * len(shop.items)
    report = find_companions(catalogue, describer)
    assert (report.photos, report.unread) == (photos, ())
    assert 0 < report.with_companions <= len(shop.items)  # the worn ones, not those lying flat
    assert find_companions(catalogue, describer).photos == 0
    with Session(catalogue.engine) as session:
        shown = session.execute(
            select(GarmentRow.slot, CompanionRow.slot).join(
                CompanionRow, CompanionRow.photo_id == GarmentRow.photo_id
            )
        ).all()
        assert all(own != beside for own, beside in shown)
    after = recommender.complete(top.item_id, Options(k=3), ["bottom"])[0]
    assert after.trust > 0.3
    assert after.looks >= 1
    pairs = CoWorn.of(catalogue).pairs(catalogue, describer.layout.dim, "top", "bottom")
    back = CoWorn.of(catalogue).pairs(catalogue, describer.layout.dim, "bottom", "top")
    assert len(pairs.worn) == len(back.worn) > 0
    catalogue.delete([item.item_id for item in shop.items])
    with Session(catalogue.engine) as session:  # with its photo a companion goes, too
        assert session.scalar(select(func.count()).select_from(PhotoRow)) == 0
        assert session.scalar(select(func.count()).select_from(CompanionRow)) == 0


def test_the_command_that_learns_outfits_keeps_its_old_name(tmp_path: Path) -> None:
    for words in (["outfits", "learn"], ["looks"]):
        done = CliRunner().invoke(app, ["--home", str(tmp_path), *words])
        assert (done.exit_code, "no catalogue at" in done.output) == (2, True), done.output


def test_overlap() -> None:
    assert overlap((0, 0, 1, 1), (0, 0, 1, 1)) == 1
    assert overlap((0, 0, 1, 1), (0.5, 0, 1, 1)) == 0.5
    assert overlap((0, 0, 0.4, 1), (0.5, 0, 1, 1)) == 0


def test_mistakes(recommender: Recommender, shop: Shop) -> None:
    top = next(item for item in shop.items if item.slot == "top")
    for ask, words in (
        (lambda: recommender.similar("no", Options()), "no item 'no'"),
        (lambda: recommender.complete(top.item_id, Options(), ["top"]), "worn already"),
        (lambda: recommender.alternatives(top.item_id, Options(), band=0), "band is 0"),
        (lambda: recommender.complete(top.item_id, Options(), (), Taste(["no"])), "no item"),
        (lambda: recommender.similar(top.item_id, Options(diversity=2)), "diversity is 2"),
    ):
        with pytest.raises(QueryError, match=words):
            ask()


def test_commands(
    catalogue: Catalogue,
    shop: Shop,
    models: Models,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from PIL import Image

    from training.sample_shop import draw

    monkeypatch.setattr("indexer.models.loading.load_models", lambda *_: models)
    top = next(item for item in shop.items if item.slot == "top" and item.pattern == "plain")
    home = ["--home", str(catalogue.settings.home)]

    def run(*words: str) -> dict[str, list[dict[str, object]]]:
        done = CliRunner().invoke(app, [*home, *words, "--json"])
        assert done.exit_code == 0, done.output
        answer: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
        return answer

    plain = [each["item_id"] for each in run("similar", top.item_id, "--k", "5")["results"]]
    diverse = run("similar", top.item_id, "--k", "5", "--diversity", "0.8")["results"]
    assert diverse[0]["item_id"] == plain[0]
    assert [each["item_id"] for each in diverse] != plain
    cheap = run("alternatives", top.item_id, "--band", "1.0")["results"]
    assert {each["availability"] for each in cheap} == {"in_stock"}
    beside = run("complete", top.item_id, "--k", "2", "--slot", "bottom")["garments"]
    assert [each["slot"] for each in beside] == ["bottom"]
    photo = tmp_path / "worn.jpg"
    Image.fromarray(draw(top, "worn", seed=5).pixels).save(photo)
    outfit = run("outfit", str(photo), "--k", "1")
    assert [each["slot"] for each in outfit["garments"]] == ["top", "bottom", "shoes"]
    for words in (["complete", top.item_id], ["outfit", str(photo)], ["similar", top.item_id]):
        shown = CliRunner().invoke(app, [*home, *words])
        assert shown.exit_code == 0, shown.output
        assert "bottom" in shown.stdout or words[0] == "similar"
    wrong = CliRunner().invoke(app, [*home, "complete", top.item_id, "--slot", "hat"])
    assert wrong.exit_code == 2
    assert "slot 'hat'" in wrong.stderr
