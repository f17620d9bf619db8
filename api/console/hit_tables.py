"""Tables of answers for the terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from api.console.terminal import showable
from api.schemas.serialise import label_of
from indexer.description.describe import DescribedGarment
from indexer.fused_vector import PARTS
from indexer.models.attribute_heads import LOOKS_LIKE
from search.answer import Answer, SearchTarget
from search.ranking.rank import Hit
from search.retrieval.stored_items import StoredItem


def plain_console() -> Console:
    """Return a console that shows a shop's words as they are, brackets too."""
    return Console(markup=False, emoji=False, highlight=False)


def print_answer(name: str, answer: Answer, explain: bool = False) -> None:
    """Print a table of hits for each garment; `explain` says what each part adds to a score."""
    console = plain_console()
    console.print(f"{showable(name)}  {answer.took_ms['total']:.0f} ms", style="bold")
    for each in answer.garments:
        title = _title(each.garment)
        if explain:
            weights = ", ".join(f"{part} {share:.2f}" for part, share in each.weights.items())
            title = f"{title}\nof {', '.join(each.sources)}; weights: {weights}"
        console.print(hit_table(title, each.hits, each.weights if explain else None))


def _title(garment: SearchTarget) -> str:
    if isinstance(garment, DescribedGarment):
        return f"{label_of(garment)}, {_colours(garment)}"
    if isinstance(garment, StoredItem):
        return f"{showable(garment.item_id)}: {garment.category}"
    return showable(f"read as: {', '.join([*garment.colours, garment.category or garment.slot])}")


def hit_table(title: str, hits: Sequence[Hit], weights: Mapping[str, float] | None = None) -> Table:
    """Return hits as a table, best first; with weights, what each part adds to the score."""
    table = Table(title=title, title_justify="left")
    is_judged = any(hit.match for hit in hits)
    has_words = any(hit.matched_words for hit in hits)
    is_lifted = weights is not None and any(hit.boost for hit in hits)
    shares = weights or dict.fromkeys(PARTS, 1.0)
    numbers = ("score", *(("match",) if is_judged else ()), *(("lift",) if is_lifted else ()))
    for name in ("", *numbers, *PARTS):
        table.add_column(name, justify="right")
    for name in (*(("words",) if has_words else ()), "item", "title", "price"):
        table.add_column(name, overflow="fold")
    for place, hit in enumerate(hits, start=1):
        price = "" if hit.item.price is None else f"{hit.item.price:.2f} {hit.item.currency or ''}"
        table.add_row(
            str(place),
            f"{hit.score:.3f}",
            *((f"{hit.match}\n{hit.confidence:.2f}",) if is_judged else ()),
            *((f"{hit.boost:.3f}",) if is_lifted else ()),
            *(f"{shares[part] * hit.parts[part]:.2f}" for part in PARTS),
            *((showable(", ".join(hit.matched_words)),) if has_words else ()),
            showable(hit.item.item_id),
            showable(hit.item.title),
            price,
        )
    return table


def print_garments(photo: str, answer: Answer) -> None:
    """Print a table of the garments in one photo."""
    table = Table(title=showable(photo), title_justify="left")
    for name in ("id", "garment", "box", "colours", "attributes"):
        table.add_column(name, overflow="fold")
    for i, garment in enumerate(answer.described):
        seen = garment.attributes.items()
        best = [next(iter(labels)) for name, labels in seen if labels and name != LOOKS_LIKE]
        table.add_row(
            str(i), label_of(garment), str(garment.xyxy), _colours(garment), ", ".join(best)
        )
    plain_console().print(table)


def _colours(garment: DescribedGarment) -> str:
    return ", ".join(f"{colour.name} {colour.share:.0%}" for colour in garment.palette)
