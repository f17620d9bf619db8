"""Words that the models do not know find items by what their feed says, on both databases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.errors import QueryError, TextTowerUntrained
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.item_rows import delete_items
from indexer.storage.tables import ItemRow
from search.filters.conditions import Filters
from search.query.keyword_index import MOST_WORDS, POSTGRESQL, find_words, forms_of, plain, words_of
from search.query.options import Options
from search.query.text_query import parse_text
from search.ranking.rank import Hit
from search.searcher import Searcher
from tests.search.test_text_query import KnowsNoText
from tests.support.databases import Store
from tests.support.fake_models import SeesNothing
from tests.support.small_catalogue import ITEMS, Dots, record_of

# What the feed says of the small shop's first items: title, brand, category.
SAID: Sequence[tuple[str, str | None, str | None]] = [
    ("Radiant Tee", "Nike", "t-shirt"),
    ("Radiant Tee XS", "NIKE", "t-shirt"),
    ("Tee", "Levi\u2019s", "t-shirt"),
    ("Trousers 501", "Levis", "jeans"),
    ("Jupe \u00c9toile", "Zo\u00e9 & Cie", "skirt"),
    ("O'Neill/Quiksilver board shorts", None, "shorts"),
    ("Nike\u2122 running shorts", None, None),
    ("Slim fit", None, "jeans"),
    ("Slim fit", None, "trousers"),
    ("Slim fit", None, "trousers"),
]
IDS = [item.item_id for item in ITEMS]


def records() -> list[ItemRecord]:
    """Each with one photo and no slot, so that all are looked for alike."""
    said: list[ItemRecord] = []
    for item, (title, brand, category) in zip(ITEMS, SAID, strict=False):
        plainly = record_of(item, price=float(len(said)))
        said.append(
            replace(
                plainly, photos=plainly.photos[:1], group_id=item.item_id, slot=None,
                title=title, brand=brand, category=category,
            )
        )  # fmt: skip
    return said


class ReadsOnly(Dots):
    """An Encoder that reads texts as the bundled one does, and sees photos as dots do."""

    speaks_text = True

    def __init__(self, models: Models) -> None:
        super().__init__(1, models.encoder.dim)
        self.embed_text = models.encoder.embed_text  # type: ignore[method-assign]


@pytest.fixture
def speaking(models: Models) -> Describer:
    """The bundled text tower and heads; whole photos stand for garments of no slot."""
    return Describer(Models(SeesNothing(), ReadsOnly(models), models.heads))


@pytest.fixture
def shop(store: Store, drawn: Path, speaking: Describer, tmp_path: Path) -> Iterator[Searcher]:
    catalogue = Catalogue.open(Settings(home=tmp_path / "home"), create=True)
    Importer(catalogue, speaking, drawn, drawn).run(records())
    yield Searcher(catalogue, speaking)
    catalogue.engine.dispose()


def found(shop: Searcher, asked: str, **options: Any) -> tuple[Hit, ...]:
    return shop.search_text(asked, Options(**{"k": 20, **options})).hits


def matched(hits: Sequence[Hit]) -> list[int]:
    """Return which items' words matched, by their place above."""
    return sorted(IDS.index(hit.item.item_id) for hit in hits if hit.matched_words)


def test_names_brands_and_ids_come_first(shop: Searcher) -> None:
    for asked, right in [
        ("nike", [0, 1, 6]), ("shoes by NIKE", [0, 1, 6]), ("Radiant Tee", [0, 1]),
        ("\u00e9toile", [4]), ("etoile", [4]), ("E\u0301TOILE", [4]), ("zoe", [4]),
        ("Levi's", [2, 3]), ("levi\u2019s", [2, 3]), ("levis blue jeans", [2, 3]),
        ("o'neill", [5]), ("quiksilver shorts", [5]), ("501", [3]),
        (IDS[0], [0]), (IDS[1].upper(), [1]), (f"{IDS[2]} {IDS[3]}", [2, 3]),
    ]:  # fmt: skip
        hits = found(shop, asked)
        assert matched(hits) == right, asked
        assert all(hit.matched_words and hit.boost for hit in hits[: len(right)]), asked
        by_looks = [hit.score for hit in hits[: len(right)]]
        if len({hit.boost for hit in hits[: len(right)]}) == 1:
            assert by_looks == sorted(by_looks, reverse=True), asked
    both = found(shop, "radiant xs tee")
    assert [hit.item.item_id for hit in both[:2]] == [IDS[1], IDS[0]]
    assert [hit.matched_words for hit in both[:2]] == [("radiant", "xs"), ("radiant",)]


def test_what_the_models_do_not_know_is_answered_by_the_feed_alone(shop: Searcher) -> None:
    answer = shop.search_text("nike", Options())
    assert matched(answer.hits) == [0, 1, 6]
    assert len(answer.hits) == 3
    assert answer.warnings == ()
    nothing = shop.search_text("zyxxo", Options())
    assert len(nothing.hits) == 10  # as before: a guess
    assert nothing.warnings != ()
    assert len(found(shop, "nike", filters=Filters.parse(["price>=100"]))) == 0
    cheap = found(shop, "nike", filters=Filters.parse(["price<=1"]))
    assert matched(cheap) == [0, 1]


def test_a_text_that_says_nothing_to_the_models(shop: Searcher, speaking: Describer) -> None:
    """An encoder that knows no text: the feed is asked alone, and else it is said so."""
    mute = Searcher(shop.catalogue, speaking)
    mute.describer = Describer(replace(speaking.models, encoder=KnowsNoText()))
    assert matched(found(mute, "nike")) == [0, 1, 6]
    assert {hit.score for hit in found(mute, "nike")} == {0.0}
    for asked, weight in (("zyxxo", 1.0), ("nike", 0.0)):
        with pytest.raises(TextTowerUntrained):
            found(mute, asked, words=weight)


HOSTILE = [
    '"nike" OR tee*', "NEAR(nike tee, 5)", '"', "'", "''; DROP TABLE item; --", "nike AND NOT",
    "words:nike", "{words}: nike", "^nike", "nike\0tee", "zqcatalogue1", "- nike", "(nike",
    "nike " * 80, "a'b " * 100, "'" * 300, ("\u00e9" * 499), "\u4e2d\u6587 nike", "\U0001f455 nike",
    "%s %(x)s", "(:nike) :asked ?1", "\\ nike \\", "nike & tee | !levis <-> x",
    "\u0130\u0131\u017f\ufb01 \u1e9e",
]  # fmt: skip


def test_no_text_is_an_expression_of_the_database(shop: Searcher) -> None:
    for asked in HOSTILE:
        answer = shop.search_text(asked, Options())
        assert ("nike" in words_of(asked)) == bool({0, 1, 6} & set(matched(answer.hits))), asked
    assert matched(found(shop, "tee*")) == []


def test_words_of_all_letters_are_found_as_they_are_written(shop: Searcher) -> None:
    """What is split and folded here must be so in the database, for any letters."""
    titles = [
        "\u041a\u0443\u0440\u0442\u043a\u0430 Zimnyaya", "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1",
        "Gr\u00f6\u00dfe \u0141\u00f3d\u017a \u00d8re", "snake_case air-max 90/95",
        "\u00bd zip 1.5", "na\u00efve\u00adsoft", "\u0939\u093f\u0928\u094d\u0926\u0940 kurta",
        "\uff21\uff22\uff23 wide",
    ]  # fmt: skip
    with Session(shop.catalogue.engine) as session:
        for item_id, title in zip(IDS, titles, strict=False):
            session.execute(update(ItemRow).where(ItemRow.item_id == item_id).values(title=title))
        session.commit()
    missed = set()
    with shop.catalogue.engine.connect() as sql:
        for place, title in enumerate(titles):
            for word in words_of(title):
                known = find_words(sql, shop.catalogue.id, [word], [])
                rows = [row for each in known for row in each.items.tolist()]
                if place + 1 not in rows:
                    missed.add(word)
    # What SQLite keeps whole and NFKD takes apart, or the other way round.
    assert missed <= {"\u00bd", "\uff21\uff22\uff23"}, missed


def test_what_is_changed_and_deleted_is_so_in_the_index(shop: Searcher) -> None:
    with Session(shop.catalogue.engine) as session:
        row = session.query(ItemRow).filter_by(item_id=IDS[0]).one()
        row.title, row.brand = "Dawn Top", None
        session.commit()
        session.execute(
            update(ItemRow).where(ItemRow.item_id == IDS[1]).values(brand="Puma", price=1.0)
        )
        session.commit()
    assert matched(found(shop, "nike")) == [6]
    assert matched(found(shop, "radiant")) == [1]
    assert matched(found(shop, "dawn puma")) == [0, 1]
    assert shop.catalogue.delete([IDS[0]]) == 1
    assert matched(found(shop, "dawn puma")) == [1]
    with Session(shop.catalogue.engine) as session:
        delete_items(session, shop.catalogue.id, [IDS[1]])
        session.rollback()
    assert matched(found(shop, "puma")) == [1]


def test_catalogues_are_apart(
    shop: Searcher, drawn: Path, speaking: Describer, store: Store, tmp_path: Path
) -> None:
    settings = shop.catalogue.settings.model_copy(update={"catalogue": "other"})
    other = Catalogue.open(settings, create=True)
    one = replace(records()[5], title="Nike elsewhere")
    Importer(other, speaking, drawn, drawn).run([one])
    assert matched(found(Searcher(other, speaking), "nike")) == [5]
    assert matched(found(shop, "nike")) == [0, 1, 6]
    assert matched(found(shop, "elsewhere")) == []
    other.engine.dispose()


def test_without_words_all_is_as_before(shop: Searcher) -> None:
    for asked in ("nike blue jeans", "Radiant Tee", "red skirt"):
        query = parse_text(asked, shop.describer.models)
        options = Options(k=20, weights=query.weights({}))
        plainly = shop.search_vector(query.vector, options.slots_for(query.slot), options)
        assert list(found(shop, asked, words=0.0)) == plainly
        assert not any(hit.boost for hit in plainly)
    with pytest.raises(QueryError, match="weight words=-1"):
        found(shop, "nike", words=-1.0)


def test_what_the_feed_calls_so_comes_before_what_looks_so(shop: Searcher) -> None:
    """An item of no telling category is what its garment was taken for."""
    by_id = {IDS.index(hit.item.item_id): hit for hit in found(shop, "jeans")}
    assert {place for place, hit in by_id.items() if hit.boost} >= {3, 7}
    assert not {4, 5, 8, 9} & {place for place, hit in by_id.items() if hit.boost}
    first = [IDS.index(hit.item.item_id) for hit in found(shop, "jeans")[:2]]
    assert not any(hit.matched_words for hit in by_id.values())
    assert set(first) <= {3, 7, 6}
    levis = found(shop, "levis jeans")
    assert [IDS.index(hit.item.item_id) for hit in levis[:2]] == [3, 2]


def test_groups_likes_and_diversity_go_with_words(shop: Searcher) -> None:
    grouped = found(shop, "nike tee", k=2, diversity=0.1)
    assert len(matched(grouped)) == 2
    with Session(shop.catalogue.engine) as session:
        session.execute(update(ItemRow).values(group_id="one"))
        session.commit()
    assert len(found(shop, "nike")) == 1
    assert len(found(shop, "nike", group=False)) == 3


def test_texts_are_split_into_words() -> None:
    assert words_of("The Levi's 501 for me, AIR-max x 2") == ["levi's", "501", "air", "max"]
    assert forms_of("levi's") == ("levi s", "levis")
    assert forms_of("levis") == ("levis", "levi s")
    assert forms_of("l'\u00e9t\u00e9")[0] == "l \u00e9t\u00e9"
    assert plain("O'Neill \u00c9t\u00e9-501") == " o neill ete 501 "
    many = " ".join(f"w{i}" for i in range(100))
    assert len(words_of(many)) == 100 > MOST_WORDS


def test_the_index_answers_in_postgresql(shop: Searcher, store: Store) -> None:
    if store.name == "sqlite":
        pytest.skip("SQLite has no other way to answer MATCH")
    with shop.catalogue.engine.connect() as sql:
        sql.execute(text("SET enable_seqscan = off"))
        condition = POSTGRESQL.text.partition(" AND ")[2]  # of ten rows any index will do
        asked = {"first": "nike", "second": "x", "most": 9}
        explained = text("EXPLAIN SELECT id FROM item WHERE " + condition)  # noqa: S608
        plan = sql.scalars(explained, asked).all()
    assert any("ix_item_words" in line for line in plan), plan


def test_common_words_are_told_of_candidates(
    shop: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a million items: what more have than are listed is read from the candidates."""
    monkeypatch.setattr("search.query.keyword_index.MOST_ITEMS", 2)
    assert matched(found(shop, "nike shorts")) == [0, 1, 6]
    monkeypatch.setattr("search.retrieval.keyword_boost.MOST_MATCHES", 1)
    monkeypatch.setattr("search.retrieval.keyword_boost.FIRST_MATCHES", 1)
    hits = found(shop, "levis nike tee", k=3)
    assert len(matched(hits)) == 3
    assert np.all(np.diff([hit.score + hit.boost for hit in hits]) <= 1e-6)
