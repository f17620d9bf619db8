"""Searches in the indexed sample shop: the right item first, filters, slots, groups, parts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import CatalogueEmpty, QueryError
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import normalise_weights
from indexer.images.photo import Photo, read_photo
from indexer.ingest.importer import Importer
from indexer.models.loading import Models
from indexer.sample import SampleItem, views_of
from indexer.settings import Settings
from search.filters.conditions import Filters
from search.query.options import Options
from search.ranking.rank import Hit
from search.searcher import Searcher
from tests.support.fake_models import SeesNothing
from tests.support.sample_shop import Shop
from training.sample_shop import draw

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL


@pytest.fixture
def searcher(catalogue: Catalogue, describer: Describer) -> Searcher:
    return Searcher(catalogue, describer)


@pytest.fixture
def hits_for(searcher: Searcher, describer: Describer) -> Callable[..., list[Hit]]:
    def search(item: SampleItem, options: Options, seed: int = 4321) -> list[Hit]:
        photo = Photo(draw(item, views_of(item)[0], seed=seed).pixels, "")
        (garment,) = describer.describe([photo], [item.slot])[0]
        return searcher.search_garment(garment, options)

    return search


def test_a_new_picture_of_an_item_finds_the_item(
    hits_for: Callable[..., list[Hit]], shop: Shop
) -> None:
    asked = shop.items[::3]
    first = [hits_for(item, Options(k=5, group=False)) for item in asked]
    at_5 = [
        item.item_id in [h.item.item_id for h in hits]
        for item, hits in zip(asked, first, strict=True)
    ]
    assert np.mean(at_5) >= 0.8


def test_scores_are_the_weighted_parts_in_order(
    hits_for: Callable[..., list[Hit]], shop: Shop
) -> None:
    weights = {"visual": 1.0, "colour": 2.0, "attributes": 0.5}
    hits = hits_for(shop.items[0], Options(k=20, weights=weights))
    shares = normalise_weights(weights)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    for hit in hits:
        assert set(hit.parts) == {"visual", "colour", "attributes"}
        assert all(0 <= value <= 1 for value in hit.parts.values())
        if min(hit.parts.values()) > 0:  # a part below 0 is shown as 0
            total = sum(shares[part] * hit.parts[part] for part in shares)
            assert hit.score == pytest.approx(total, abs=2e-3)


def test_weights_decide(hits_for: Callable[..., list[Hit]], shop: Shop) -> None:
    item = next(i for i in shop.items if i.pattern == "plain" and i.slot == "top")
    only_colour = {"visual": 0.0, "colour": 1.0, "attributes": 0.0}
    (best, *_) = hits_for(item, Options(k=3, weights=only_colour))
    assert best.score == pytest.approx(best.parts["colour"], abs=1e-3)
    everything = hits_for(item, Options(k=len(shop.items), weights=only_colour, group=False))
    assert best.parts["colour"] == max(hit.parts["colour"] for hit in everything)


def test_only_the_garments_slot_comes_back_unless_relaxed(
    hits_for: Callable[..., list[Hit]], shop: Shop
) -> None:
    item = next(i for i in shop.items if i.slot == "bottom")
    strict = hits_for(item, Options(k=100))
    assert {hit.item.slot for hit in strict} == {"bottom"}
    relaxed = hits_for(item, Options(k=1000, strict_slot=False, group=False))
    assert len(relaxed) == len(shop.items)


def test_if_k_items_match_k_come_back(hits_for: Callable[..., list[Hit]], shop: Shop) -> None:
    item = shop.items[0]
    for text in ("availability=out_of_stock", f"colour={item.colour}", "price>=60"):
        filters = Filters.parse([text])
        matching = len(
            hits_for(item, Options(k=1000, filters=filters, strict_slot=False, group=False))
        )
        field, _, value = text.replace(">=", "=").partition("=")
        truth = [
            i for i in shop.items
            if (i.price >= 60 if field == "price" else getattr(i, field) == value)
        ]  # fmt: skip
        assert matching == len(truth)
        for k in (1, 3):
            options = Options(k=k, filters=filters, strict_slot=False, group=False)
            assert len(hits_for(item, options)) == min(k, matching)


def test_filters_on_the_shops_own_columns_and_in_any_case(
    hits_for: Callable[..., list[Hit]], shop: Shop
) -> None:
    everywhere = Options(k=1000, strict_slot=False, group=False)
    stripes = hits_for(
        shop.items[0], replace(everywhere, filters=Filters.parse(["pattern=STRIPE"]))
    )
    assert len(stripes) == sum(i.pattern == "stripe" for i in shop.items)
    either = Filters.parse(["color=red", "color=Navy", "price<=1000"])
    two = hits_for(shop.items[0], replace(everywhere, filters=either))
    assert len(two) == sum(i.colour in ("red", "navy") for i in shop.items)
    no = hits_for(shop.items[0], replace(everywhere, filters=Filters.parse(["pattern!=stripe"])))
    assert len(no) == len(shop.items) - len(stripes)


def test_filters_that_cannot_be_meant_are_refused(
    hits_for: Callable[..., list[Hit]], shop: Shop
) -> None:
    with pytest.raises(QueryError, match="pattern"):  # the message names the fields there are
        hits_for(shop.items[0], Options(filters=Filters.parse(["patern=stripe"])))
    for text in ("colour", "price>=cheap", "=x"):
        with pytest.raises(QueryError):
            Filters.parse([text])
    with pytest.raises(QueryError, match="number"):
        hits_for(shop.items[0], Options(filters=Filters.parse(["price=cheap"])))
    injected = Filters.parse(["title=x' OR 1=1 --", "brand='; DROP TABLE item; --"])
    assert hits_for(shop.items[0], Options(filters=injected)) == []


def test_variants_are_one_hit_the_best_one(hits_for: Callable[..., list[Hit]], shop: Shop) -> None:
    grouped = hits_for(shop.items[0], Options(k=1000, strict_slot=False))
    groups = [hit.item.group_id for hit in grouped]
    assert len(groups) == len(set(groups)) == len({i.group_id for i in shop.items})
    single = hits_for(shop.items[0], Options(k=1000, strict_slot=False, group=False))
    best: dict[str, float] = {}
    for hit in single:
        best.setdefault(hit.item.group_id, hit.score)
    assert {hit.item.group_id: hit.score for hit in grouped} == best


@pytest.mark.parametrize("options", [{"k": 0}, {"k": 100_000}, {"garment": "hat"}])
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(QueryError):
        Options(**options).check()  # type: ignore[arg-type]


def test_a_street_photo_gets_hits_for_each_garment(searcher: Searcher, street_photo: Path) -> None:
    answer = searcher.search_photo(read_photo(street_photo), Options(k=3))
    assert answer.garments
    for each in answer.garments:
        assert len(each.hits) == 3, each.garment.slot
        assert each.hits[0].matched_photo.endswith(".jpg")
    assert {"detect", "embed", "colour", "search", "total"} <= set(answer.took_ms)
    bottoms = searcher.search_photo(read_photo(street_photo), Options(k=3, garment="bottom"))
    assert {each.garment.slot for each in bottoms.garments} == {"bottom"}
    assert answer.query_id != bottoms.query_id


def test_a_garment_that_is_not_in_the_photo_is_said(searcher: Searcher, shop: Shop) -> None:
    trousers = next(i for i in shop.items if i.category == "trousers")
    flat = Photo(draw(trousers, "flat", seed=8).pixels, "")
    answer = searcher.search_photo(flat, Options(garment="dress"))
    assert not answer.garments
    assert "no dress was found" in answer.warnings[0]


def test_nothing_found_is_said_and_the_whole_photo_searched(
    describer: Describer, models: Models, shop: Shop, tmp_path: Path
) -> None:
    blind = Describer(replace(models, detector=SeesNothing()))
    catalogue = Catalogue.open(Settings(home=tmp_path), create=True)
    record = ItemRecord("one", "one", (f"images/{shop.items[0].item_id}_worn.jpg",), slot="top")
    Importer(catalogue, blind, shop.folder, shop.folder).run([record])
    photo = Photo(np.full((100, 100, 3), 90, np.uint8), "")
    answer = Searcher(catalogue, blind).search_photo(photo, Options(k=3))
    assert answer.described[0].is_fallback
    assert [hit.item.item_id for hit in answer.garments[0].hits] == ["one"]
    assert "whole photo" in answer.warnings[0]


def test_an_empty_catalogue_is_no_catalogue(describer: Describer, tmp_path: Path) -> None:
    empty = Catalogue.open(Settings(home=tmp_path), create=True)
    with pytest.raises(CatalogueEmpty, match="lapel index"):
        Searcher(empty, describer)


def test_many_variants_of_one_group_do_not_hide_the_others(
    catalogue: Catalogue, describer: Describer, shop: Shop
) -> None:
    item = shop.items[0]
    photo = f"images/{item.item_id}_worn.jpg"
    sizes = [ItemRecord(f"{item.item_id}-{n}", item.group_id, (photo,), slot=item.slot)
             for n in range(120)]  # fmt: skip
    Importer(catalogue, describer, shop.folder, shop.folder).run(sizes)
    searcher = Searcher(catalogue, describer)
    (garment,) = describer.describe([read_photo(shop.folder / photo)], [item.slot])[0]
    hits = searcher.search_garment(garment, Options(k=8))
    assert len({hit.item.group_id for hit in hits}) == 8
    assert hits[0].item.group_id == item.group_id
    assert hits[0].score > 0.99


def test_words_beyond_ascii_and_numbers_among_words(
    catalogue: Catalogue, describer: Describer, shop: Shop
) -> None:
    item = shop.items[0]
    photo = (f"images/{item.item_id}_worn.jpg",)
    records = [
        ItemRecord("a", "a", photo, slot=item.slot, brand="Émilie", fields={"size": "M"}),
        ItemRecord("b", "b", photo, slot=item.slot, brand="Other", fields={"size": "38"}),
    ]
    Importer(catalogue, describer, shop.folder, shop.folder).run(records)
    searcher = Searcher(catalogue, describer)
    (garment,) = describer.describe([read_photo(shop.folder / photo[0])], [item.slot])[0]

    def found(*texts: str) -> set[str]:
        options = Options(k=1000, filters=Filters.parse(texts))
        return {hit.item.item_id for hit in searcher.search_garment(garment, options)}

    assert found("brand=ÉMILIE") == {"a"}
    assert "a" not in found("brand!=émilie")
    assert found("size<=40", "brand!=x") == {"b"}
    with pytest.raises(QueryError, match="holds words"):
        found("brand<=5")
