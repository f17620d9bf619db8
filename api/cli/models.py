"""List, download, verify and export models, and re-embed a catalogue by others."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from api.console.terminal import FAILED, Json, emit, load_describer, say

if TYPE_CHECKING:
    from indexer.ingest.reembed import ReembedPlan, ReembedReport
    from indexer.models.registry import ModelDescription, RemoteModel

STOPPED = 130  # as shells report Ctrl-C
TERMS = """\
Lapel itself is AGPL-3.0-or-later, and so is ultralytics, which runs the segmenter; the segmenter's
weights are AGPL-3.0. Who offers a service built on them must offer its users the source of the
whole, own changes included, or hold an Enterprise licence from Ultralytics for its part.
A licence given as unknown is for you to find out before you use the model."""

commands = typer.Typer(rich_markup_mode=None)
models = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, pull, export and verify models."
)
commands.add_typer(models, name="models")


@models.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """List the models: shipped, pulled, and known ones to pull; which are in use."""
    from indexer.models.registry import KNOWN, bundled_models, pulled_models, used_models

    used = used_models(context.obj)
    pulled = pulled_models(context.obj)
    here = {model.name for model in pulled}
    remote = [model for model in KNOWN if model.name not in here]
    others = [model for model in used if model not in (*bundled_models(), *pulled, *remote)]
    rows = [_row(each, each in used) for each in (*bundled_models(), *pulled, *others, *remote)]
    if as_json:
        for row in rows:
            emit(row)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("name", "kind", "dim", "licence", "where", "in use"):
        table.add_column(name, overflow="fold", no_wrap=name == "name")
    for row in rows:
        row["in_use"] = "yes" if row["in_use"] else ""
        shown = (row[key] for key in ("name", "kind", "dim", "licence", "origin", "in_use"))
        table.add_row(*("" if value is None else str(value) for value in shown))
    Console(markup=False, emoji=False, highlight=False).print(table)


@models.command()
def pull(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="open_clip's MODEL/PRETRAINED, hf-hub:OWNER/NAME, yolo...-seg.pt, local-dir:PATH."
        ),
    ],
    called: Annotated[str, typer.Option("--as", help="Another name for it in the home.")] = "",
) -> None:
    """Download a model into the home; it then needs no network."""
    from indexer.models.download import pull as download

    say(f"pulling {name}")
    model = download(name, context.obj, called)
    size = sum(path.stat().st_size for path in model.folder.rglob("*") if path.is_file())
    say(f"{model.name}: {model.kind}, {size / 1e6:.0f} MB, licence {model.licence}, {model.source}")
    say("use it, and describe the catalogue by it:")
    typer.echo(f"export {model.setting}")
    typer.echo("lapel reembed")


@models.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="New folder, or a file that ends in .tar.")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Models, as listed; those in use when none.")
    ] = None,
) -> None:
    """Write models with licences and hashes for a machine without a network."""
    from indexer.errors import ModelError
    from indexer.models.export_bundle import export as write_bundle
    from indexer.models.registry import ModelDescription, find_model, used_models

    chosen = [find_model(name, context.obj) for name in dict.fromkeys(names or [])]
    for model in () if names else used_models(context.obj):
        if not isinstance(model, ModelDescription):
            raise ModelError(f"{model.name} is not here; `lapel models pull {model.name}` first")
        chosen.append(model)
    say(f"wrote {write_bundle(chosen, out)}: {', '.join(model.name for model in chosen)}")


@models.command()
def licences(context: typer.Context, as_json: Json = False) -> None:
    """Show the licences of shipped, pulled and known models."""
    from indexer.models.export_bundle import licence_lines
    from indexer.models.registry import KNOWN, bundled_models, pulled_models, used_models

    here = (*bundled_models(), *pulled_models(context.obj))
    if as_json:
        used = used_models(context.obj)
        rows = [
            *(_row(model, model in used) for model in here),
            *(_row(m, m in used) for m in KNOWN),
        ]
        for row in rows:
            emit(
                {key: row[key] for key in ("name", "kind", "licence", "source", "origin", "in_use")}
            )
        return
    typer.echo("\n".join(("Here:", *licence_lines(here), "", "To be pulled:")))
    typer.echo("\n".join((*licence_lines(KNOWN), "", TERMS)))


@models.command()
def verify(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="An exported folder or tar; all models here when none.")
    ] = None,
) -> None:
    """Hash the files again and list those that have changed."""
    from indexer.models.registry import bundled_models, pulled_models
    from indexer.system.checksums import check_sums

    here = (*bundled_models(), *pulled_models(context.obj))
    places = {str(path): path} if path else {model.name: model.folder for model in here}
    wrong = 0
    for name, place in places.items():
        problems = check_sums(place)
        wrong += len(problems)
        for problem in problems:
            say(f"{name}: {problem}")
        if not problems:
            typer.echo(f"{name}: as it was")
    if wrong:
        raise typer.Exit(FAILED)


@commands.command()
def reembed(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option(help="Only show the remaining work.")] = False,
    allow_missing: Annotated[
        bool, typer.Option(help="Switch even if photos can no longer be read, and drop those.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Describe the catalogue's photos with the present models; interrupted, run it again."""
    from indexer.catalogue.catalogue import Catalogue
    from indexer.ingest.reembed import Reembedder

    catalogue = Catalogue.open(context.obj)
    describer = load_describer(context.obj, is_for_many=True)
    with tqdm(desc="reembed", unit="photo", file=sys.stderr, disable=dry_run) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        work = Reembedder(catalogue, describer, say, advance)
        plan = work.plan()
        bar.total, bar.n = plan.photos, plan.done
        _say_plan(plan)
        if dry_run:
            if as_json:
                emit(asdict(plan))
            return
        try:
            report = work.run(allow_missing)
        except KeyboardInterrupt:
            say("stopped; the catalogue is as it was. `lapel reembed` goes on from here")
            raise typer.Exit(STOPPED) from None
    _say_report(report)
    if as_json:
        emit(asdict(report))
    if report.missing:
        say(f"{report.missing} photos are listed in {catalogue.settings.home / 'errors.csv'}")
        raise typer.Exit(FAILED)


def _say_plan(plan: "ReembedPlan") -> None:
    if not plan.is_needed:
        say(f"the catalogue was made by the models set now ({plan.wanted}); there is nothing to do")
        return
    say(
        f"{plan.photos} photos, {plan.done} of them described already; "
        f"made by models {plan.made_by}, to be made by {plan.wanted}"
    )


def _say_report(report: "ReembedReport") -> None:
    if report.switched is None:
        return
    done = report.switched
    say(f"{report.described} photos described; the catalogue now has {done.garments} garments")
    if done.dropped_photos or done.dropped_items:
        say(
            f"dropped: {done.dropped_photos} photos that cannot be read, and {done.dropped_items} "
            "items that show no other; `lapel index` takes them in again"
        )


def _row(model: "ModelDescription | RemoteModel", is_used: bool) -> dict[str, Any]:
    from indexer.models.registry import ModelDescription

    row: dict[str, Any] = {
        "name": model.name,
        "kind": model.kind,
        "dim": model.dim,
        "licence": model.licence,
        "origin": "remote",
        "in_use": is_used,
        "source": model.source,
        "folder": None,
        "sha256": {},
    }
    if isinstance(model, ModelDescription):
        row |= {"origin": model.origin, "folder": str(model.folder), "sha256": {**model.sha256}}
    return row
