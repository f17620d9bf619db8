"""The command that measures kinds of vector index on a catalogue, and keeps the best."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api.console.terminal import MISUSE, Json, emit, say
from indexer.errors import QueryError

if TYPE_CHECKING:
    from indexer.vectors.index_benchmark import Measured

commands = typer.Typer(rich_markup_mode=None)
HEAD = f"{'kind':8}{'recall@10':>10}{'ms':>9}{'MB':>9}{'build s':>9}{'scored':>9}  how"


@commands.command()
def tune(
    context: typer.Context,
    recall: Annotated[
        float, typer.Option(help="Of the ten most similar, so many must be found.")
    ] = 0.98,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Measure only this kind; may be repeated.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure kinds of vector index on this catalogue, and keep the fastest that finds enough.

    A garment asks for its ten nearest, at any weight of colour, with filters that let through all,
    a half, 5 % and 0.1 %: recall is that of the worst filter, ms the median of the slowest.
    """
    from indexer.catalogue.catalogue import Catalogue
    from indexer.catalogue.index_tuning import tune as choose

    if not 0.5 <= recall <= 1:
        raise QueryError(f"recall is {recall:g}; give a share from 0.5 to 1, like 0.98")
    if not as_json:
        typer.echo(HEAD)
    catalogue = Catalogue.open(context.obj)
    best = choose(catalogue, recall, kinds or (), partial(_show, as_json), dry_run)
    if best.recall < recall:
        say(f"no kind reaches a recall of {recall:g}, the best is {best.kind}: nothing was changed")
        raise typer.Exit(MISUSE)
    kept = "nothing was changed" if dry_run else "kept; a running server takes it at a change"
    say(f"{best.kind} is the fastest with a recall of {recall:g}: {kept}")


def _show(as_json: bool, measured: "Measured") -> None:
    from indexer.vectors.index_kinds import INDEX_TYPES

    if as_json:
        emit(asdict(measured))
        return
    typer.echo(
        f"{measured.kind:8}{measured.recall:10.3f}{measured.ms:9.2f}{measured.megabytes:9.1f}"
        f"{measured.build_s:9.1f}{measured.effort:9}  {INDEX_TYPES[measured.kind].says}"
    )
