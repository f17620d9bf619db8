"""Audit a catalogue: pictures shown twice, and what may be wrong with its items."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.sync import counting
from api.console.terminal import Json, emit, say
from indexer.errors import SettingsError

if TYPE_CHECKING:
    from indexer.audit.duplicates import DuplicateSet

commands = typer.Typer(rich_markup_mode=None)
DUPLICATE_COLUMNS = ("set", "kind", "item_id", "group_id", "colour", "title", "position", "address")
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Also write a table.")]
Near = Annotated[
    int, typer.Option(help="Bits of 64 in which hashes of one picture may differ, 0 to 11.")
]


@commands.command()
def duplicates(
    context: typer.Context,
    near: Near = 6,
    exact: Annotated[bool, typer.Option("--exact", help="Only the same files.")] = False,
    as_json: Json = False,
    csv_file: CsvFile = None,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="One search hit for items with one main picture.")
    ] = False,
    uncollapse: Annotated[bool, typer.Option("--uncollapse", help="Undo --collapse.")] = False,
) -> None:
    """List pictures shared by several products or several colours."""
    from api.reports.audit_page import write_csv
    from indexer.audit import duplicates as repeats
    from indexer.catalogue.catalogue import Catalogue

    catalogue = Catalogue.open(context.obj)
    if uncollapse:
        say(f"{repeats.uncollapse(catalogue)} items are hits of their own again")
        return
    bits = None if exact else _checked(near)
    with counting("look", "photo") as tick:
        sets = repeats.find_duplicates(catalogue, bits, tick)
    rows = [row for i, each in enumerate(sets, start=1) for row in _rows(i, each)]
    _show_sets(sets, as_json)
    if csv_file:
        write_csv(csv_file, rows, DUPLICATE_COLUMNS)
        say(f"wrote {csv_file}")
    of_groups = sum(len(each.groups) > 1 for each in sets)
    of_colours = sum(len(each.colours) > 1 for each in sets)
    say(
        f"{len(sets)} pictures are shown more than once: {of_groups} by several products, "
        f"{of_colours} for several colours"
    )
    if collapse:
        say(f"{repeats.collapse(catalogue, sets)} items were collapsed; undo it by --uncollapse")


@commands.command()
def audit(
    context: typer.Context,
    csv_file: CsvFile = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with pictures.")] = None,
    as_json: Json = False,
    near: Near = 6,
) -> None:
    """List contradictions between feed and pictures: colours, garments, pictures, words."""
    from api.reports.audit_page import COLUMNS, TITLES, finding_row, write_csv, write_page
    from indexer.audit.audit import audit as find_faults
    from indexer.catalogue.catalogue import Catalogue

    catalogue = Catalogue.open(context.obj)
    with counting("audit", "item") as tick:
        findings = find_faults(catalogue, _checked(near), tick)
    if as_json:
        for finding in findings:
            emit(finding_row(finding))
    else:
        for (severity, kind), count in Counter((f.severity, f.kind) for f in findings).items():
            typer.echo(f"{severity:7}{count:>7}  {TITLES.get(kind, kind)}")
    if csv_file:
        write_csv(csv_file, [finding_row(finding) for finding in findings], COLUMNS)
        say(f"wrote {csv_file}")
    if html:
        write_page(html, context.obj.home, context.obj.catalogue, findings)
        say(f"wrote {html}")
    if not findings:
        say("nothing was found")


def _show_sets(sets: Sequence["DuplicateSet"], as_json: bool) -> None:
    for i, each in enumerate(sets, start=1):
        if as_json:
            emit({"set": i, "kind": each.kind, "groups": each.groups, "colours": each.colours,
                  "items": [_without_set(row) for row in _rows(i, each)]})  # fmt: skip
        else:
            ids = list(dict.fromkeys(shown.item_id for shown in each.shown))
            more = f" and {len(ids) - 6} more" if len(ids) > 6 else ""
            typer.echo(f"{each.kind:6} {', '.join(ids[:6])}{more}")


def _checked(near: int) -> int:
    from indexer.audit.near_duplicates import MOST_BITS

    if not 0 <= near <= MOST_BITS:
        raise SettingsError(f"--near {near}: give 0 to {MOST_BITS}; more would match anything")
    return near


def _rows(number: int, each: "DuplicateSet") -> list[dict[str, Any]]:
    return [
        {
            "set": number, "kind": each.kind, "item_id": shown.item_id,
            "group_id": shown.group_id, "colour": shown.colour or "", "title": shown.title,
            "position": shown.position, "address": shown.address,
        }
        for shown in each.shown
    ]  # fmt: skip


def _without_set(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("set", "kind")}
