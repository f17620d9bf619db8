"""Read filters from JSON: `{field, eq|ne|in|gte|lte|exists}`, `and`, `or`, `not`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from indexer.errors import QueryError
from search.filters.conditions import Condition, Filters, Join, Node, Operator

DEEPEST = 5  # nested in one another; a person's filter has two
MOST = 50  # conditions
MOST_VALUES = 500  # of one `in`
EXAMPLE = '{"field": "price", "lte": 80}, {"and": [...]}, {"or": [...]} or {"not": {...}}'
_COMPARED: Mapping[str, Operator] = {"gte": ">=", "lte": "<="}
_ALIASES = {"color": "colour"}
AVAILABLE = Join(
    "or",
    (
        # A shop that says nothing of availability sells what it shows.
        Join("none", (Condition("availability", "exists", ()),)),
        Condition("availability", "=", ("in_stock",)),
    ),
)


def read_filter(value: Any, in_stock_only: bool = False, excluded: Sequence[Node] = ()) -> Filters:
    """Return the filters that a JSON value says; a list means all of them. Raises QueryError."""
    nodes = [] if value is None else [_node(value, DEEPEST)]
    if (count := sum(_count(node) for node in nodes)) > MOST:
        raise QueryError(f"the filter has {count} conditions; at most {MOST} are read")
    stocked = [AVAILABLE] if in_stock_only else []
    return Filters((*nodes, *stocked, *excluded))


def not_these(field: str, values: Sequence[str]) -> Condition:
    """Return the condition that leaves out items with one of these values."""
    return Condition(field, "!=", tuple(values))


def _node(value: Any, depth: int) -> Node:
    if depth == 0:
        raise QueryError(f"the filter is nested more than {DEEPEST} deep")
    if isinstance(value, list):
        return _join("and", value, depth)
    if not isinstance(value, dict):
        raise QueryError(f"a filter is an object like {EXAMPLE}; got {_shown(value)}")
    if "field" in value:
        return _conditions(value)
    if len(value) != 1 or (how := next(iter(value))) not in ("and", "or", "not"):
        raise QueryError(f"filter {_shown(value)} is not understood; expected {EXAMPLE}")
    if how == "not":
        return Join("none", (_node(value["not"], depth - 1),))
    return _join("and" if how == "and" else "or", value[how], depth)


def _join(how: Any, parts: Any, depth: int) -> Join:
    if not isinstance(parts, list) or not parts:
        raise QueryError(f"filter {how!r} needs a list of conditions; got {_shown(parts)}")
    return Join(how, tuple(_node(part, depth - 1) for part in parts))


def _conditions(value: Mapping[str, Any]) -> Node:
    field = value["field"]
    if not isinstance(field, str) or not field:
        raise QueryError(f"a filter's field is a name; got {_shown(field)}")
    name = _ALIASES.get(field.lower(), field)
    found = [_condition(name, op, given) for op, given in value.items() if op != "field"]
    if not found:
        raise QueryError(f"filter on {field!r} says no eq, ne, in, gte, lte or exists")
    return found[0] if len(found) == 1 else Join("and", tuple(found))


def _condition(field: str, operator: str, given: Any) -> Node:
    if operator == "exists":
        if not isinstance(given, bool):
            raise QueryError(f"filter {field} exists is true or false; got {_shown(given)}")
        there = Condition(field, "exists", ())
        return there if given else Join("none", (there,))
    if operator in _COMPARED:
        return Condition(field, _COMPARED[operator], (_number(field, operator, given),))
    if operator == "in":
        if not isinstance(given, list) or not 0 < len(given) <= MOST_VALUES:
            raise QueryError(f"filter {field} in needs a list of 1 to {MOST_VALUES} values")
        return Condition(field, "=", tuple(_word(field, each) for each in given))
    if operator in ("eq", "ne"):
        return Condition(field, "=" if operator == "eq" else "!=", (_word(field, given),))
    raise QueryError(
        f"filter {field}: no operator {operator!r}; one of eq, ne, in, gte, lte, exists"
    )


def _number(field: str, operator: str, given: Any) -> str:
    try:
        number = float(given) if not isinstance(given, bool | list | dict) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise QueryError(f"filter {field} {operator} needs a number; got {_shown(given)}")
    return repr(number)


def _word(field: str, given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, float) and given.is_integer():
        return str(int(given))  # JSON knows one kind of number, a shop's column says 38
    if isinstance(given, str | int | float):
        return str(given)
    raise QueryError(f"filter {field} compares with a word or a number; got {_shown(given)}")


def _count(node: Node) -> int:
    return sum(_count(part) for part in node.parts) if isinstance(node, Join) else 1


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
