"""Bring a catalogue to the state of a feed, after showing the plan."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from api.cli.engine_option import EngineOption, check_engine, describer_for
from api.cli.feed_options import ColumnNames, FeedArgument, Format, Images
from api.console.terminal import FAILED, Json, Profile, emit, say, show_profile
from indexer.errors import SettingsError
from indexer.ingest.feed_source import FeedSource

if TYPE_CHECKING:
    from indexer.ingest.sync import Synced, SyncPlan
    from indexer.settings import Settings

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def sync(
    context: typer.Context,
    source: FeedArgument,
    mode: Annotated[
        str,
        typer.Option(help="upsert: add and change; mirror: also remove items that the feed lacks."),
    ] = "upsert",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, do nothing.")] = False,
    as_json: Json = False,
    max_removed: Annotated[
        str, typer.Option(help="Refuse to remove a larger share of the stored items.")
    ] = "20%",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    format_name: Format = "auto",
    images: Images = None,
    mapping: ColumnNames = None,
    profile: Profile = False,
    engine: EngineOption = "local",
) -> None:
    """Update the catalogue from a feed; interrupted, run it again to continue."""
    options = _SyncOptions(mode, parse_share(max_removed), dry_run, yes, as_json, profile, engine)
    feed = FeedSource(source, images, format_name, mapping or ())
    _sync(context.obj, feed, options)


@dataclass(frozen=True, slots=True)
class _SyncOptions:
    """The command's options."""

    mode: str
    max_removed: float
    is_dry: bool
    yes: bool
    as_json: bool
    is_profiled: bool
    engine: str


def _sync(settings: "Settings", feed: FeedSource, options: _SyncOptions) -> None:
    from indexer.catalogue.catalogue import Catalogue
    from indexer.images.image_sources import ImageSources
    from indexer.ingest.importer import Importer
    from indexer.ingest.sync import Sync
    from indexer.vocabulary.categories import use_words_of

    if options.mode not in ("upsert", "mirror"):
        raise SettingsError(f"unknown mode {options.mode!r}; one of upsert, mirror")
    check_engine(options.engine)
    use_words_of(settings.home)
    rows = feed.read()  # refuses at once what is no feed
    folder, under = feed.folders()
    catalogue = Catalogue.open(settings, create=not options.is_dry)
    with (
        ImageSources(settings, folder, under) as pictures,
        Sync(catalogue, pictures, rows, options.mode) as work,  # type: ignore[arg-type]
    ):
        with counting("compare", "row") as tick:
            plan = work.plan(tick, options.is_dry)
        _show_plan(plan, options.as_json)
        if options.is_dry:
            return
        plan.check(options.max_removed)
        if plan.is_empty and not plan.row_errors:
            return
        if not options.yes and sys.stdin.isatty():
            typer.confirm("do this?", abort=True, err=True)
        with (
            describer_for(settings, options.engine) as (describer, make_workers),
            counting("sync", "row", len(work.todo)) as tick,
        ):
            importer = Importer(catalogue, describer, folder, under, say, pictures, make_workers)
            done = work.apply(plan, importer, options.max_removed, tick)
    if options.is_profiled:
        show_profile(importer)
    _show_done(done, settings.home, options.as_json)


def parse_share(text: str) -> float:
    """Read `20%` or `0.2`. Raises SettingsError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(%?)\s*", text)
    share = float(match.group(1)) / (100 if match.group(2) else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise SettingsError(f"--max-removed {text!r} is no share; give one like 20% or 0.2")
    return share


def _show_plan(plan: "SyncPlan", as_json: bool) -> None:
    if as_json:
        emit({"plan": plan.shown()})
        return
    typer.echo(f"plan ({plan.mode}): {plan.rows} rows, {plan.stored} items stored")
    of = f"{plan.changed_fields} in words or numbers only, {plan.changed_pictures} in pictures"
    lines = [
        ("added", plan.added, ""),
        ("changed", plan.changed, of if plan.changed else ""),
        ("unchanged", plan.unchanged, ""),
        ("removed", plan.removed, ""),
        ("unreadable", plan.unreadable, "no picture can be read; they stay as they are"),
        ("bad rows", plan.row_errors, ""),
        ("pictures", plan.pictures, "to be looked at, at most"),
    ]
    for name, count, note in lines:
        if count or name in ("added", "changed", "unchanged", "removed"):
            ids = [
                i for kind, named in plan.examples.items() if kind.startswith(name) for i in named
            ]
            more = ", ..." if len(ids) < count else ""
            notes = "; ".join(filter(None, [note, ", ".join(ids) + more if ids else ""]))
            typer.echo(f"  {name:11}{count:>8}  {notes}".rstrip())


def _show_done(done: "Synced", home: Path, as_json: bool) -> None:
    report = done.imported
    if as_json:
        emit({"done": {**asdict(report), "removed": done.removed}})
    say(
        f"{report.added} items added, {report.changed} changed, {done.removed} removed, "
        f"{report.failed} failed; {report.embedded_photos} photos described"
    )
    if report.errors:
        say(f"{report.errors} errors are listed in {home / 'errors.csv'}")
        raise typer.Exit(FAILED)


@contextmanager
def counting(name: str, unit: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr; yield the function that advances it."""
    with tqdm(total=total, desc=name, unit=unit, file=sys.stderr, leave=False) as bar:

        def tick(count: int) -> None:
            bar.update(count)

        yield tick
