"""Check a home and repair it, back it up, and restore a backup."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.console.terminal import FAILED, Json, emit, say

if TYPE_CHECKING:
    from indexer.maintenance.check_result import CheckResult

commands = typer.Typer(rich_markup_mode=None)
Force = Annotated[bool, typer.Option(help="Replace existing data.")]


@commands.command()
def doctor(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild the vectors, remove orphaned rows and files.")
    ] = False,
    models: Annotated[
        bool,
        typer.Option(
            help="Also load the models: compare their fingerprint, show device and precision."
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Check database, vectors, files and models; exit 1 if something is wrong."""
    from indexer.maintenance.doctor import examine

    def every() -> Iterator["CheckResult"]:
        yield from examine(context.obj, repair)
        if models:
            from indexer.maintenance.model_checks import examine_models

            yield from examine_models(context.obj)

    states: Counter[str] = Counter()
    for finding in every():
        states[finding.state] += 1
        if as_json:
            emit(finding.shown())
        else:
            todo = f" -> {finding.todo}" if finding.todo else ""
            typer.echo(f"{finding.state:8} {finding.check:12} {finding.detail}{todo}")
    say(", ".join(f"{count} {state}" for state, count in states.items()))
    if states["wrong"]:
        raise typer.Exit(FAILED)


@commands.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The archive to write, a tar.")],
    force: Force = False,
) -> None:
    """Write database, thumbnails and uploaded pictures to one archive; servers go on meanwhile."""
    from indexer.maintenance.backup import write_backup

    report = write_backup(context.obj, file, force)
    say(
        f"wrote {file}: {report.items} items, {report.files} files, "
        f"{report.size_bytes / 1e6:.1f} MB; `lapel restore {file}` puts it back"
    )


@commands.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="An archive that `lapel backup` wrote.")],
    force: Force = False,
) -> None:
    """Restore an archive: verify it, then switch; a running server uses it at once."""
    from indexer.maintenance.restore import restore as restore_backup

    report = restore_backup(context.obj, file, force)
    say(f"restored {report.items} items and {report.files} files as of {report.made_at}")
    if report.set_aside:
        say(
            f"the old database could not be read and lies in {report.set_aside}; "
            "start running servers again"
        )
