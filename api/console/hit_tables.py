"""Answers in, tables for a person's terminal out."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from api.console.terminal import showable
from api.schemas.serialise import label_of
from indexer.description.describe import DescribedGarment
from indexer.fused_vector import PARTS
from search.ranking.hits import Hit
from search.searcher import Answer, TextAnswer


def plain_console() -> Console:
    """Return a console that shows a shop's words as they are, brackets too."""
    return Console(markup=False, emoji=False, highlight=False)


def print_answer(photo: str, answer: Answer) -> None:
    """Print a table of hits for each garment."""
    console = plain_console()
    console.print(f"{showable(photo)}  {answer.took_ms['total']:.0f} ms", style="bold")
    for each in answer.garments:
        title = f"{label_of(each.garment)}, {_colours(each.garment)}"
        console.print(hit_table(title, each.hits))


def print_text_answer(answer: TextAnswer) -> None:
    """Print a table of a text's hits."""
    query, console = answer.query, plain_console()
    console.print(f"{query.text}  {answer.took_ms['total']:.0f} ms", style="bold")
    read = [*query.colours, query.category or query.slot]
    console.print(hit_table(f"read as: {', '.join(read)}", answer.hits))


def hit_table(title: str, hits: Sequence[Hit]) -> Table:
    """Return hits as a table, best first."""
    table = Table(title=title, title_justify="left")
    is_judged = any(hit.match for hit in hits)
    is_said = any(hit.matched_words for hit in hits)
    for name in ("", "score", *(("match",) if is_judged else ()), *PARTS):
        table.add_column(name, justify="right")
    for name in (*(("words",) if is_said else ()), "item", "title", "price"):
        table.add_column(name, overflow="fold")
    for place, hit in enumerate(hits, start=1):
        price = "" if hit.item.price is None else f"{hit.item.price:.2f} {hit.item.currency or ''}"
        table.add_row(
            str(place),
            f"{hit.score:.3f}",
            *((f"{hit.match}\n{hit.confidence:.2f}",) if is_judged else ()),
            *(f"{hit.parts[part]:.2f}" for part in PARTS),
            *((showable(", ".join(hit.matched_words)),) if is_said else ()),
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
        best = [next(iter(labels)) for labels in garment.attributes.values() if labels]
        table.add_row(
            str(i), label_of(garment), str(garment.xyxy), _colours(garment), ", ".join(best)
        )
    plain_console().print(table)


def _colours(garment: DescribedGarment) -> str:
    return ", ".join(f"{colour.name} {colour.share:.0%}" for colour in garment.palette)
