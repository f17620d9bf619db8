"""Options that several commands of search and recommendation take."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.errors import QueryError

if TYPE_CHECKING:
    from search.query.options import Options

Count = Annotated[int, typer.Option(help="How many items.")]
FilterTexts = Annotated[
    list[str] | None,
    typer.Option("--filter", help="field=value, field!=value, field>=number, field<=number."),
]
Diversity = Annotated[
    float, typer.Option(help="0: by score; 1: as different from each other as possible.")
]
Popularity = Annotated[float, typer.Option(help="Influence of shoppers' events, 0 to 1.")]
Likes = Annotated[
    list[str] | None, typer.Option("--like", help="Id of a liked item; may be repeated.")
]
Dislikes = Annotated[
    list[str] | None, typer.Option("--dislike", help="Id of a disliked item; may be repeated.")
]
InStockOnly = Annotated[bool, typer.Option(help="Only items in stock.")]


def read_options(
    filters: Sequence[str] | None,
    weights: Sequence[str] | None,
    in_stock_only: bool,
    **others: Any,
) -> "Options":
    """Return the options of a search; `others` as `Options` names them. Raises QueryError."""
    from search.filters.conditions import Filters
    from search.filters.json_filters import AVAILABLE
    from search.query.options import Options

    conditions = Filters.parse(filters or [])
    options = Options(filters=conditions, weights=parse_weights(weights), **others)
    options = options.with_words_apart()
    options.check()
    return options.narrowed(AVAILABLE) if in_stock_only else options


def number_or_word(text: str) -> str | int:
    """Read the id of a garment or person, or a word for some."""
    return int(text) if text.isdecimal() else text


def parse_weights(texts: Sequence[str] | None) -> dict[str, float]:
    """Read `visual=1` and the like. Raises QueryError."""
    weights = {}
    for text in texts or []:
        part, _, value = text.partition("=")
        try:
            weights["colour" if part.strip() == "color" else part.strip()] = float(value)
        except ValueError:
            raise QueryError(
                f"weight {text!r} is not understood; expected like colour=0.5"
            ) from None
    return weights
