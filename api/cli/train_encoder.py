"""Tune the encoder on a shop's own photos."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.feed_options import ColumnNames, FeedArgument, Format, Images
from api.cli.sync import counting
from api.console.terminal import FAILED, Json, emit, load_describer, say
from indexer.ingest.feed_source import FeedSource

if TYPE_CHECKING:
    from indexer.description.describe import Describer
    from indexer.models.registry import ModelDescription
    from indexer.settings import Settings
    from search.finetuning.tune_encoder import Shop, Tuned


def train_encoder(
    context: typer.Context,
    source: FeedArgument,
    full: Annotated[
        bool, typer.Option("--full", help="Train the whole image tower: for a GPU.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the encoder [models in the home].")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the small head.")] = 80,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of --full.")] = 8,
    queries: Annotated[
        int, typer.Option(min=1, help="Largest number of query photos for the comparison.")
    ] = 2_000,
    seed: Annotated[int, typer.Option(help="Seed for the choice of held-out products.")] = 0,
    keep_anyway: Annotated[
        bool, typer.Option("--keep-anyway", help="Install it even if it is not better.")
    ] = False,
    format_name: Format = "auto",
    images: Images = None,
    mapping: ColumnNames = None,
    as_json: Json = False,
) -> None:
    """Tune the encoder on a feed's photos, in minutes on a CPU; install it only if better.

    Photos of one product in one colour shall have similar embeddings. The comparison uses products
    outside the training; exit 1 if it is not better. A second run reuses the described photos.
    """
    feed = FeedSource(source, images, format_name, mapping or ())
    _train(
        context.obj,
        feed,
        _TuningOptions(full, out, steps, epochs, queries, seed, keep_anyway, as_json),
    )


@dataclass(frozen=True, slots=True)
class _TuningOptions:
    """The command's options."""

    full: bool
    out: Path | None
    steps: int
    epochs: int
    queries: int
    seed: int
    keep_anyway: bool
    as_json: bool


def _train(settings: "Settings", feed: FeedSource, options: _TuningOptions) -> None:
    from api.console.encoder_tables import report_json, verdict_table
    from indexer.finetuning.head_report import draw_curve
    from indexer.models.registry import used_models
    from search.finetuning.install_encoder import CURVE, REPORT, check_free, install, source_of

    check_free(options.out)
    source = source_of(next(each for each in used_models(settings) if each.kind == "encoder"))
    feed.read()  # refuses at once what is no feed
    describer = load_describer(settings, is_for_many=True)
    work = _work_folder(settings, feed, describer)
    shop = _described(settings, feed, describer, work, options)
    tuned = _tuned(shop, source, settings, work, options)
    kept = tuned.verdict.is_better or options.keep_anyway
    how = {
        "encoder": source.name,
        "feed": feed.source.name,
        "full": options.full,
        "seed": options.seed,
        "steps": options.epochs if options.full else options.steps,
    }
    report = report_json(tuned, how, kept)
    (work / REPORT).write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    unit = "epoch" if options.full else "step"
    draw_curve(tuned.curve, work / CURVE, "supervised contrast", unit)
    folder = None
    if kept:
        folder = install(tuned, shop, source, settings, options.out, report, work / CURVE)
    if options.as_json:
        emit({**report, "folder": str(folder) if folder else None})
    else:
        typer.echo(verdict_table(tuned))
    _tell(tuned, folder, work)


def _work_folder(settings: "Settings", feed: FeedSource, describer: "Describer") -> Path:
    """Return where the described feed is kept between runs with the same models."""
    from indexer.inference.fingerprint import combine

    key = combine(describer.models.fingerprint, str(feed.source.absolute()))
    folder = settings.home / "training" / f"encoder-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _described(
    settings: "Settings",
    feed: FeedSource,
    describer: "Describer",
    work: Path,
    options: _TuningOptions,
) -> "Shop":
    """Describe what of the feed is not described yet, keeping crops; read all of it."""
    from indexer.catalogue.catalogue import Catalogue
    from indexer.finetuning.crop_recorder import CropRecorder
    from indexer.images.image_sources import ImageSources
    from indexer.ingest.importer import Importer
    from indexer.ingest.sync import Sync
    from search.finetuning.tune_encoder import read_shop

    own = settings.model_copy(
        update={"home": work, "catalogue": "default", "database_url": "", "vectors_url": "",
                "read_database_url": ""}
    )  # fmt: skip
    catalogue = Catalogue.open(own, create=True)
    models = describer.models
    keeper = CropRecorder(models.encoder, work / "crops")
    keeping = replace(describer, models=replace(models, encoder=keeper))
    folder, under = feed.folders()
    try:
        with (
            ImageSources(settings, folder, under) as pictures,
            Sync(catalogue, pictures, feed.read(), "mirror") as sync,
        ):
            plan = sync.plan()
            importer = Importer(catalogue, keeping, folder, under, say, pictures)
            with counting("describe", "row", len(sync.todo)) as tick:
                sync.apply(plan, importer, 1.0, tick)
        return read_shop(catalogue, keeper, models.heads, options.queries, options.seed)
    finally:
        catalogue.engine.dispose()


def _tuned(
    shop: "Shop",
    source: "ModelDescription",
    settings: "Settings",
    work: Path,
    options: _TuningOptions,
) -> "Tuned":
    from indexer.finetuning.full_training import FullPlan
    from indexer.finetuning.map_folding import read_state
    from indexer.inference.runtime import Runtime
    from indexer.models.open_clip_towers import OpenClipModel
    from search.finetuning.tune_encoder import tune_full, tune_map

    state = read_state(source.folder)
    if not options.full:
        with counting("views", "garment", len(shop.gallery)) as tick:
            return tune_map(shop, state, options.steps, options.seed, tick)
    device = Runtime.of(settings).device
    plan = FullPlan(device, options.epochs, options.seed, work / "full.pt")
    with counting(f"train on {device}", "epoch", options.epochs) as tick:
        return tune_full(shop, state, OpenClipModel(f"local-dir:{source.folder}"), plan, tick)


def _tell(tuned: "Tuned", folder: Path | None, work: Path) -> None:
    """Say what was decided and why, and what to do next; exit 1 if it is not better."""
    from search.finetuning.install_encoder import ATTRIBUTES, CURVE, REPORT

    for reason in tuned.verdict.reasons:
        say(f"not better: {reason}")
    say(f"report: {work / REPORT}, {work / CURVE}")
    if folder is None:
        say("the encoder was not kept; give more products, or --keep-anyway")
        raise typer.Exit(FAILED)
    say(f"wrote {folder}")
    if tuned.lost:
        say(
            f"heads that say other things by it, left out: {', '.join(tuned.lost)}; train them "
            "anew by `lapel train attributes`, with LAPEL_ENCODER set as below"
        )
    say("use it, and describe the catalogue by it; the old one is served until that is done:")
    say(_settings_lines(tuned, folder, ATTRIBUTES))
    say(f"{work} is only needed to train again: delete it when you like")
    if not tuned.verdict.is_better:
        raise typer.Exit(FAILED)


def _settings_lines(tuned: "Tuned", folder: Path, attributes: str) -> str:
    lines = [f"export LAPEL_ENCODER=local-dir:{folder}"]
    if tuned.heads.heads:
        lines.append(f"export LAPEL_ATTRIBUTES={folder / attributes}")
    return "\n".join([*lines, "lapel reembed"])
