"""Count and delete what shoppers did."""

from typing import Annotated

import typer

from api.console.terminal import Json, emit, say
from indexer.errors import SettingsError

commands = typer.Typer(rich_markup_mode=None)
events = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Views, clicks, carts and purchases of shoppers.",
)
commands.add_typer(events, name="events")


@events.command("stats")
def stats(
    context: typer.Context,
    k: Annotated[int, typer.Option(help="How many of the most popular groups.")] = 10,
    as_json: Json = False,
) -> None:
    """Count the events by kind, and name the most popular groups."""
    from indexer.catalogue.catalogue import Catalogue
    from indexer.catalogue.events import count_events
    from search.ranking.popularity import read_popularity

    catalogue = Catalogue.open(context.obj.for_reading)
    counted, known = count_events(catalogue), read_popularity(catalogue)
    best = sorted(known.groups.items(), key=lambda each: (-each[1], each[0]))[:k]
    if as_json:
        popular = [{"group_id": group, "popularity": round(p, 4)} for group, p in best]
        emit({"events": counted, "popular": popular})
        return
    for kind, counts in counted.items():
        sums = ", ".join(f"{count} {name}" for name, count in counts.items())
        typer.echo(f"{kind:8} {sums}")
    for group, popularity in best:
        typer.echo(f"{popularity:.3f}    {group}")


@events.command("prune")
def prune(
    context: typer.Context,
    days: Annotated[int, typer.Option(help="Events older than so many days are deleted.")] = 90,
) -> None:
    """Delete old events: after 90 days they have no influence."""
    from indexer.catalogue.catalogue import Catalogue
    from indexer.catalogue.events import prune_events

    if days < 0:
        raise SettingsError(f"days is {days}; give 0 (all before today) or more")
    say(f"{prune_events(Catalogue.open(context.obj), days)} events deleted")
