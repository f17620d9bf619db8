"""Fill, rebuild and count a catalogue, and upgrade its tables."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from api.cli.engine_option import EngineOption, check_engine, describer_for
from api.cli.feed_options import ColumnNames, FeedArgument, Format, Images
from api.console.terminal import FAILED, MISUSE, Json, Profile, emit, say, show_profile
from indexer.errors import FeedError, QueryError
from indexer.ingest.feed_source import FeedSource

if TYPE_CHECKING:
    from indexer.ingest.importer import ImportReport

commands = typer.Typer(rich_markup_mode=None)
db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The database's tables.")
commands.add_typer(db, name="db")


@commands.command()
def index(
    context: typer.Context,
    source: FeedArgument,
    format_name: Format = "auto",
    images: Images = None,
    mapping: ColumnNames = None,
    profile: Profile = False,
    engine: EngineOption = "local",
) -> None:
    """Index a catalogue; a second run embeds only changes."""
    from indexer.catalogue.catalogue import Catalogue
    from indexer.ingest.feed_spool import FeedSpool
    from indexer.ingest.importer import Importer
    from indexer.vocabulary.categories import use_words_of

    check_engine(engine)
    use_words_of(context.obj.home)
    feed = FeedSource(source, images, format_name, mapping or ())
    records = feed.read()
    folder, under = feed.folders()
    with FeedSpool(records) as spool:
        if not spool:
            raise FeedError(f"{source} holds no items; expected rows, or photos in a folder")
        catalogue = Catalogue.open(context.obj, create=True)
        with describer_for(context.obj, engine) as (describer, make_workers):
            importer = Importer(catalogue, describer, folder, under, say, make_workers=make_workers)
            rows = tqdm(spool, total=len(spool), desc="index", unit="item", file=sys.stderr)
            report = importer.run(rows)
    _say_outcome(report, describer.seconds)
    if profile:
        show_profile(importer)
    if report.errors:
        say(f"{report.errors} errors are listed in {catalogue.settings.home / 'errors.csv'}")
        raise typer.Exit(FAILED)


def _say_outcome(report: "ImportReport", seconds: Mapping[str, float]) -> None:
    stages = ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items())
    say(
        f"{report.added} items added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.failed} failed; {report.embedded_photos} photos described ({stages or 'none'})"
    )


@commands.command()
def delete(
    context: typer.Context,
    item_ids: Annotated[list[str], typer.Argument(help="Item ids, as in the feed.")],
) -> None:
    """Delete items; searches stop finding them at once."""
    from indexer.catalogue.catalogue import Catalogue

    deleted = Catalogue.open(context.obj).delete(item_ids)
    say(f"{deleted} items deleted")
    if deleted < len(set(item_ids)):
        say(f"{len(set(item_ids)) - deleted} of the ids are not in the catalogue")
        raise typer.Exit(FAILED)


@commands.command()
def rebuild(
    context: typer.Context,
    recall: Annotated[
        float | None,
        typer.Option(help="Recall to reach among the ten most similar [0.98, or as before]."),
    ] = None,
) -> None:
    """Rebuild the vector index from the database; no model runs."""
    from indexer.catalogue.catalogue import Catalogue

    check_recall(recall)
    say(f"{Catalogue.open(context.obj).rebuild(recall)} vectors rebuilt")


def check_recall(recall: float | None) -> None:
    """Raise QueryError for a recall out of range."""
    if recall is not None and not 0.5 <= recall <= 1:
        raise QueryError(f"recall is {recall:g}; give a share from 0.5 to 1, like 0.98")


@commands.command()
def tune(
    context: typer.Context,
    recall: Annotated[
        float, typer.Option(help="Recall to reach among the ten most similar.")
    ] = 0.98,
    kinds: Annotated[list[str] | None, typer.Option("--kind", hidden=True)] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure how many vectors a search of a large catalogue must score, and use that number.

    A sample of the garments is searched for, with several weights of colour and with filters that
    all, half, 5 % and 0.1 % of the garments pass; the recall is that of the worst filter.
    """
    from indexer.catalogue.catalogue import Catalogue

    check_recall(recall)
    if kinds:
        raise QueryError(
            f"--kind {kinds[0]}: the size of a catalogue decides how its vectors are kept; tune "
            "its recall by --recall, without --kind"
        )
    tuning = Catalogue.open(context.obj).tune(recall, is_kept=not dry_run)
    if as_json:
        emit(asdict(tuning))
    else:
        typer.echo(f"recall@10 {tuning.recall:.3f} by scoring {tuning.effort} vectors a search")
    if tuning.recall < recall:
        say(f"a recall of {recall:g} is not reached: nothing was changed")
        raise typer.Exit(MISUSE)
    say("nothing was changed" if dry_run else "kept; a running server takes it when restarted")


@commands.command()
def stats(context: typer.Context, as_json: Json = False) -> None:
    """Count items, photos, garments and vectors."""
    from indexer.catalogue.catalogue import Catalogue

    counted = Catalogue.open(context.obj).stats()
    if as_json:
        emit(counted)
    else:
        for name, value in counted.items():
            typer.echo(f"{name:12} {value}")


@commands.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="Folder to write the shop to.")],
) -> None:
    """Write the sample shop: drawn pictures and a Google Merchant feed."""
    from indexer.sample import unpack_shop

    say(f"wrote {unpack_shop(folder)}")


@db.command("upgrade")
def db_upgrade(context: typer.Context) -> None:
    """Bring the database's tables to this version."""
    from indexer.storage.database import upgrade_url

    before, after = upgrade_url(context.obj.resolved_database_url)
    say(f"tables at {after}, as before" if before == after else f"tables from {before} to {after}")
