"""Events: stored, counted, forgotten; and how popularity moves hits, within bounds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.events import Event, Kind, add_events, count_events, prune_events
from indexer.description.describe import Describer
from indexer.errors import QueryError
from indexer.storage.tables import ItemRow
from search.query.options import Options
from search.ranking.popularity import AVERAGE, HALF_LIFE_DAYS, CachedPopularity, read_popularity
from search.ranking.rerank import REACH, by_popularity, rank_score
from search.retrieval.stored_items import load_items
from search.searcher import Searcher
from tests.support.sample_shop import Shop

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(kind: Kind, item_id: str, days_ago: float = 0, session: str | None = None) -> Event:
    return Event(kind, item_id, NOW - timedelta(days=days_ago), None, session)


@pytest.mark.usefixtures("store")
def test_events_are_stored_counted_and_forgotten(catalogue: Catalogue, shop: Shop) -> None:
    first, second = (item.item_id for item in shop.items[:2])
    unknown = add_events(
        catalogue,
        [
            event("view", first, session="a"),
            event("view", first, session="b"),
            event("buy", second, days_ago=100),
            event("cart", "no such item"),
        ],
    )
    assert unknown == ["no such item"]
    counted = count_events(catalogue)
    assert counted["view"] == {"events": 2, "items": 1, "sessions": 2}
    assert counted["buy"] == {"events": 1, "items": 1, "sessions": 0}
    assert counted["cart"]["events"] == 0
    assert prune_events(catalogue, days=90, now=NOW) == 1
    assert count_events(catalogue)["buy"]["events"] == 0
    assert prune_events(catalogue, days=90, now=NOW) == 0


def groups(shop: Shop) -> list[str]:
    """One item each of several groups."""
    return list({item.group_id: item.item_id for item in shop.items}.values())


@pytest.mark.usefixtures("store")
def test_popularity_is_a_smoothed_rate_that_fades(catalogue: Catalogue, shop: Shop) -> None:
    often, once, seen, old, _ = groups(shop)[:5]
    group_of = {item.item_id: item.group_id for item in shop.items}
    told = [event("view", often) for _ in range(100)] + [event("click", often) for _ in range(50)]
    told += [event("view", once), event("click", once)]  # a rate of 1, of one view
    told += [event("view", seen) for _ in range(100)]
    told += [event("view", old, HALF_LIFE_DAYS * 3) for _ in range(100)]
    told += [event("click", old, HALF_LIFE_DAYS * 3) for _ in range(50)]
    add_events(catalogue, told)
    known = read_popularity(catalogue, NOW)
    of = {name: known.of(group_of[name]) for name in (often, once, seen, old)}
    assert 1 > of[often] > of[old] > AVERAGE > of[seen] > 0
    assert of[often] > of[once]
    assert known.of("a group of which nothing is known") == AVERAGE
    assert read_popularity(catalogue, NOW + timedelta(days=200)).groups == {}


def test_one_session_cannot_press_an_item_up(catalogue: Catalogue, shop: Shop) -> None:
    pressed, honest = groups(shop)[:2]
    group_of = {item.item_id: item.group_id for item in shop.items}
    add_events(catalogue, [event("click", pressed, session="x") for _ in range(500)])
    add_events(catalogue, [event("click", honest, session=str(n)) for n in range(3)])
    known = read_popularity(catalogue, NOW)
    assert known.of(group_of[honest]) > known.of(group_of[pressed])


def test_popularity_is_counted_again_after_a_minute(catalogue: Catalogue, shop: Shop) -> None:
    at = [0.0]
    kept = CachedPopularity(lambda: at[0])
    assert not kept.read(catalogue).groups
    add_events(catalogue, [Event("click", shop.items[0].item_id, datetime.now(UTC))])
    assert not kept.read(catalogue).groups
    at[0] = 61.0
    assert kept.read(catalogue).groups


def test_popular_items_rise_among_their_own_slot_only(
    catalogue: Catalogue, describer: Describer, shop: Shop
) -> None:
    searcher = Searcher(catalogue, describer)
    with catalogue.engine.connect() as sql:
        asked = load_items(sql, catalogue.id, searcher.layout, [shop.items[0].item_id])
        vector = asked[shop.items[0].item_id].vector
    plain = Options(k=20, strict_slot=False)
    before = searcher.search_vector(vector, None, plain)
    last = before[-1]
    now = datetime.now(UTC)
    add_events(catalogue, [Event("buy", last.item.item_id, now) for _ in range(1000)])
    with Session(catalogue.engine) as session:
        others = session.scalars(select(ItemRow.item_id).limit(20)).all()
    add_events(catalogue, [Event("view", each, now) for each in others for _ in range(100)])
    again = searcher.search_vector(vector, None, plain)  # off by default
    assert [hit.item.item_id for hit in again] == [hit.item.item_id for hit in before]
    after = searcher.search_vector(vector, None, replace(plain, popularity=1.0))
    assert [hit.item.slot for hit in after] == [hit.item.slot for hit in before]
    place = [hit.item.item_id for hit in after].index(last.item.item_id)
    assert (after[place].popularity or 0.0) > 0.7
    assert after[place].score == last.score  # what it is ranked by is not its score
    own = [hit for hit in after if hit.item.slot == last.item.slot]
    ranks = [rank_score(hit, 1.0) for hit in own]
    assert ranks == sorted(ranks, reverse=True)
    for hit in after:
        assert abs(rank_score(hit, 1.0) - hit.score) <= REACH + 1e-9
    assert before[0].item.slot == after[0].item.slot
    with pytest.raises(QueryError, match="popularity is 2"):
        searcher.search_vector(vector, None, replace(plain, popularity=2.0))


def test_popularity_changes_nothing_without_events(
    catalogue: Catalogue, describer: Describer, shop: Shop
) -> None:
    searcher = Searcher(catalogue, describer)
    with catalogue.engine.connect() as sql:
        stored = load_items(sql, catalogue.id, searcher.layout, [shop.items[0].item_id])
    hits = searcher.search_vector(stored[shop.items[0].item_id].vector, None, Options(k=10))
    moved = by_popularity(hits, read_popularity(catalogue), 1.0)
    assert [hit.item.item_id for hit in moved] == [hit.item.item_id for hit in hits]
    assert {hit.popularity for hit in moved} == {AVERAGE}


def test_commands(catalogue: Catalogue, shop: Shop) -> None:
    home = str(catalogue.settings.home)
    add_events(catalogue, [Event("click", shop.items[0].item_id, datetime.now(UTC))])
    told = CliRunner().invoke(app, ["--home", home, "events", "stats"])
    assert told.exit_code == 0, told.output
    assert "click    1 events, 1 items, 0 sessions" in told.stdout
    assert shop.items[0].group_id in told.stdout
    as_json = CliRunner().invoke(app, ["--home", home, "events", "stats", "--json"])
    assert '"popular": [{"group_id"' in as_json.stdout
    pruned = CliRunner().invoke(app, ["--home", home, "events", "prune", "--days", "90"])
    assert "0 events deleted" in pruned.stderr
    wrong = CliRunner().invoke(app, ["--home", home, "events", "prune", "--days", "-1"])
    assert wrong.exit_code == 2
