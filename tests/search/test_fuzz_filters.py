"""Any filter at all: an answer that a plain reading of it gives too, or a QueryError."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.schemas.requests import (
    DetectRequest,
    ImportRequest,
    ItemChanges,
    ItemIds,
    ItemsIn,
    SearchRequest,
)
from indexer.catalogue.catalogue import Catalogue
from indexer.errors import QueryError
from indexer.feeds.reading.record import ItemRecord
from indexer.ingest.importer import Importer
from indexer.settings import Settings
from indexer.storage.tables import ItemRow
from search.filters.conditions import Filters
from search.filters.json_filters import read_filter
from tests.hostile.rows import PICTURE, WORDS
from tests.hostile.seeds import SEEDS
from tests.support.small_catalogue import dots

often = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
VALUES = ["red", "RED", "Grün", "GRÜN", "38", "38.0", "", " ", "a'b", 'a"b', "%", "_", "true", "-1",
          *(w for w in WORDS.values() if len(w) < 200 and w.isprintable())]  # fmt: skip
FIELDS = ["brand", "colour", "color", "price", "title", "size", "note", "availability", "item_id"]
words = st.sampled_from(VALUES) | st.text(max_size=8)
numbers = st.integers(-5, 60) | st.floats() | st.integers()
anything = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["field", "and", "or", "not", "eq", "in"]) | words, inner)
    ),
    max_leaves=12,
)
leaves = st.builds(
    lambda field, said: {"field": field, **said},
    st.sampled_from(FIELDS),
    st.one_of(
        st.builds(lambda v: {"eq": v}, words | st.integers(-5, 60) | st.booleans()),
        st.builds(lambda v: {"ne": v}, words),
        st.builds(lambda v: {"in": v}, st.lists(words, min_size=1, max_size=4)),
        st.builds(lambda v: {"gte": v}, st.floats(-5, 60)),
        st.builds(lambda v: {"lte": v}, st.integers(-5, 60)),
        st.builds(lambda v: {"exists": v}, st.booleans()),
    ),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    folder = tmp_path_factory.mktemp("filters")
    (folder / PICTURE).write_bytes(SEEDS["png"]())
    catalogue = Catalogue.open(Settings(home=folder / "home"), create=True)
    records = [
        ItemRecord(
            f"i{i}", f"g{i // 3}", (PICTURE,), title=word, brand=word or None,
            colour=VALUES[-i] if i % 4 else None, price=i if i % 3 else None,
            availability="in_stock" if i % 2 else None,
            fields={"size": word, **({"note": VALUES[-i]} if i % 2 else {})},
        )
        for i, word in enumerate(VALUES)
    ]  # fmt: skip
    Importer(catalogue, dots(1), folder, folder).run(records)
    yield catalogue
    catalogue.engine.dispose()


def found(catalogue: Catalogue, filters: Filters) -> set[str]:
    with Session(catalogue.engine) as session:
        filters.check(session, catalogue.id)
        return set(session.scalars(select(ItemRow.item_id).where(filters.clause())))


@often
@given(value=anything)
def test_any_json_is_a_filter_or_an_error_of_ours(stored: Catalogue, value: Any) -> None:
    try:
        found(stored, read_filter(value))
    except QueryError:
        return


@often
@given(
    texts=st.lists(
        st.text()
        | st.builds(
            "{}{}{}".format,
            st.sampled_from(FIELDS) | words,
            st.sampled_from(["=", "!=", ">=", "<=", "<", "=="]),
            words | numbers.map(str),
        ),
        max_size=3,
    )
)
def test_any_words_are_a_filter_or_an_error_of_ours(stored: Catalogue, texts: list[str]) -> None:
    try:
        found(stored, Filters.parse(texts))
    except QueryError:
        return


@often
@given(tree=trees)
def test_a_filter_finds_what_a_plain_reading_of_it_finds(
    stored: Catalogue, tree: Mapping[str, Any]
) -> None:
    with Session(stored.engine) as session:
        items = list(session.scalars(select(ItemRow)))
    try:
        expected = {item.item_id for item in items if _holds(tree, item)}
        asked = found(stored, read_filter(tree))
    except QueryError:
        return  # a word is no price; words are not more or less
    assert asked == expected


def _holds(tree: Mapping[str, Any], item: ItemRow) -> bool:
    """The filter's meaning, without SQL. Raises QueryError where there is none."""
    for how, join in (("and", all), ("or", any)):
        if how in tree:
            parts = [_holds(part, item) for part in tree[how]]  # each may raise
            return bool(join(parts))
    if "not" in tree:
        return not _holds(tree["not"], item)
    field = "colour" if tree["field"] == "color" else tree["field"]
    has = getattr(item, field) if hasattr(item, field) else item.fields.get(field)
    ((operator, said),) = ((o, s) for o, s in tree.items() if o != "field")
    if operator == "exists":
        return bool((has not in (None, "")) == said)
    if operator in ("gte", "lte"):
        return _compares(field, operator, has, float(said))
    spelt = [_spelt(each) for each in (said if operator == "in" else [said])]
    if field == "price":
        is_equal = has is not None and has in [_number(each, field) for each in spelt]
    else:
        is_equal = has is not None and has.lower() in [each.lower() for each in spelt]
    return is_equal != (operator == "ne")


def _compares(field: str, operator: str, has: Any, limit: float) -> bool:
    if field not in ("price", "size", "note"):
        raise QueryError("words are not more or less")
    try:
        value = float(has)
    except (TypeError, ValueError):
        return False
    if math.isnan(value):
        return False
    return value >= limit if operator == "gte" else value <= limit


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"{field} is compared with a word") from None


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    "model", [SearchRequest, DetectRequest, ItemsIn, ItemChanges, ItemIds, ImportRequest]
)
def test_any_body_is_a_request_or_says_what_is_wrong(model: Any) -> None:
    names = st.sampled_from([*model.model_fields, "item_id", "price"])
    bodies = st.dictionaries(names, anything, max_size=4) | anything

    @often
    @given(body=bodies)
    def check(body: Any) -> None:
        try:
            model.model_validate(body)
        except ValidationError:
            return

    check()


def test_every_word_is_found_by_itself(stored: Catalogue) -> None:
    for i, word in enumerate(VALUES):
        if word:
            assert f"i{i}" in found(stored, read_filter({"field": "brand", "eq": word}))
