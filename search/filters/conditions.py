"""Parse conditions on items into SQL: filters run before the vector search, never after it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    String,
    and_,
    cast,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from indexer.errors import QueryError
from indexer.storage.item_rows import COLUMNS as ITEM_COLUMNS
from indexer.storage.tables import ItemRow

Operator = Literal["=", "!=", ">=", "<=", "exists"]

COLUMNS = ("item_id", *ITEM_COLUMNS)
_ALIASES = {"color": "colour"}
# What PostgreSQL is asked to read as a number: a cast of anything else ends the whole query. More
# digits or a larger exponent would be no double any more.
_NUMBER = r"^\s*[+-]?([0-9]{1,100}\.?[0-9]{0,100}|\.[0-9]{1,100})([eE][+-]?[0-9]{1,2})?\s*$"
_CONDITION = re.compile(r"\s*([^=!<>]+?)\s*(!=|>=|<=|=)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on an item's field; `values` are alternatives, of `exists` there are none."""

    field: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Several conditions of which all must hold, or any; or of which none may."""

    how: Literal["and", "or", "none"]
    parts: tuple["Node", ...]


Node = Condition | Join


class _Number(FunctionElement[float]):
    """The number that a word spells, NULL for other words: `lapel_number` in SQLite."""

    name = "lapel_number"
    inherit_cache = True
    type = Float()


@compiles(_Number)
def _number_by_function(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.visit_function(element, **options))


@compiles(_Number, "postgresql")
def _number_in_postgresql(element: _Number, compiler: SQLCompiler, **options: object) -> str:
    (word,) = (compiler.process(clause, **options) for clause in element.clauses)
    number = f"CASE WHEN {word} ~ '{_NUMBER}' THEN CAST({word} AS DOUBLE PRECISION) END"
    return f"({number})"


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that must all hold; without any, every item passes."""

    conditions: tuple[Node, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Filters":
        """Read `colour=red`, `price<=50`, `brand!=Acme`; one field given twice by `=` means either.

        Raises QueryError.
        """
        equal: dict[str, list[str]] = {}
        others: list[Condition] = []
        for text in texts:
            found = _CONDITION.fullmatch(text)
            if not found:
                raise QueryError(
                    f"filter {text!r} is not understood; expected field=value, field!=value, "
                    "field>=number or field<=number"
                )
            name, operator, value = found.groups()
            name = _ALIASES.get(name.lower(), name)
            if operator == "=":
                equal.setdefault(name, []).append(value)
            else:
                others.append(_other(name, operator, value))
        same = [Condition(name, "=", tuple(values)) for name, values in equal.items()]
        return cls((*same, *others))

    def own_fields(self) -> set[str]:
        """Return the fields that are the shop's own columns."""
        return {leaf.field for leaf in _leaves(self.conditions)} - set(COLUMNS)

    def check(self, sql: Session | Connection, catalogue_id: int) -> None:
        """Refuse a field that no item has. Raises QueryError naming those there are."""
        unknown = [c.field for c in _leaves(self.conditions) if c.field not in COLUMNS]
        if not unknown:
            return
        # A quote or a zero would end the name within SQL's own path; no shop's column has one.
        spelt = [name for name in unknown if not {'"', "\0"} & set(name)]
        known = _own_fields(sql, catalogue_id, spelt)
        for name in unknown:
            if name not in known:
                every = sorted(_own_fields(sql, catalogue_id, None))
                raise QueryError(
                    f"no item has a field {name!r}; the fields are {', '.join([*COLUMNS, *every])}"
                )

    def clause(self) -> ColumnElement[bool]:
        """Return the SQL condition on `ItemRow`."""
        return and_(true(), *(_node_clause(node) for node in self.conditions))


def _other(name: str, operator: str, value: str) -> Condition:
    if operator == "!=":
        return Condition(name, "!=", (value,))
    try:
        float(value)
    except ValueError:
        raise QueryError(f"filter {name}{operator}{value} needs a number, got {value!r}") from None
    return Condition(name, ">=" if operator == ">=" else "<=", (value,))


def _leaves(nodes: Iterable[Node]) -> Iterator[Condition]:
    for node in nodes:
        if isinstance(node, Join):
            yield from _leaves(node.parts)
        else:
            yield node


def _node_clause(node: Node) -> ColumnElement[bool]:
    if isinstance(node, Condition):
        return _clause(node)
    # Of an unknown field SQL says neither true nor false; its contrary must be true.
    parts = [func.coalesce(_node_clause(part), False) for part in node.parts]
    if node.how == "and":
        return and_(true(), *parts)
    return or_(false(), *parts) if node.how == "or" else ~or_(false(), *parts)


def _clause(condition: Condition) -> ColumnElement[bool]:
    number_column = condition.field == "price"
    column = (
        getattr(ItemRow, condition.field)
        if condition.field in COLUMNS
        else ItemRow.fields[condition.field].as_string()
    )
    if condition.operator == "exists":
        there: ColumnElement[bool] = func.coalesce(cast(column, String), "") != ""
        return there
    if condition.operator in (">=", "<="):
        if condition.field in COLUMNS and not number_column:
            raise QueryError(
                f"filter {condition.field}{condition.operator}{condition.values[0]}: "
                f"{condition.field} holds words; compare it with = or !="
            )
        number = column if number_column else _Number(column)
        limit = float(condition.values[0])
        # A missing value passes neither bound; SQL's NULL does that by itself.
        return number >= limit if condition.operator == ">=" else number <= limit
    if number_column:
        matches = column.in_(_numbers(condition))
    else:
        # Shops write Black, black and BLACK; a shopper means one colour.
        matches = func.lower(column).in_([value.lower() for value in condition.values])
    return matches if condition.operator == "=" else ~func.coalesce(matches, False)


def _numbers(condition: Condition) -> list[float]:
    try:
        return [float(value) for value in condition.values]
    except ValueError:
        raise QueryError(f"filter {condition.field}={condition.values[0]} needs a number") from None


def _own_fields(
    sql: Session | Connection, catalogue_id: int, names: Sequence[str] | None
) -> set[str]:
    """Return the shop's own columns: which of `names` some item has, or all of a sample's."""
    here = ItemRow.catalogue_id == catalogue_id
    if names is not None:
        return {
            name
            for name in names
            if sql.scalar(
                select(ItemRow.id)
                .where(here, ItemRow.fields[name].as_string().is_not(None))
                .limit(1)
            )
        }
    sample = sql.scalars(select(ItemRow.fields).where(here).limit(1_000))
    return {name for fields in sample for name in fields}
