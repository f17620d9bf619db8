"""Evaluate the search of a catalogue on its own photos, without labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.sync import counting
from api.console.terminal import FAILED, Json, emit, load_describer, say

if TYPE_CHECKING:
    from indexer.catalogue.catalogue import Catalogue
    from search.evaluation.evaluate import Evaluation

commands = typer.Typer(rich_markup_mode=None)
UNREAD_SHOWN = 3  # photos of which it is said why they could not be asked with


@commands.command()
def evaluate(
    context: typer.Context,
    cuts: Annotated[
        str, typer.Option(help="Crops of the queries: some of mask,box,photo.")
    ] = "mask",
    queries: Annotated[int, typer.Option(help="Largest number of products to query.")] = 1_000,
    street: Annotated[
        bool, typer.Option("--street", help="Also query with photos degraded like snapshots.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed for the choice of query photos.")] = 0,
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", help="recall_at_10=0.8: exit 1 below it; may be repeated."),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Store the calibration: hits get a confidence.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Also write a page with pictures.")] = None,
    as_json: Json = False,
) -> None:
    """Measure the search: query with one photo of each product, look for its other photos.

    Prints recall, MRR and mAP with 95 % intervals, by slot and category. A gate compares the
    estimate over all queries of the first crop, not the lower end of its interval.
    """
    from api.console.evaluation_tables import Gate
    from indexer.catalogue.catalogue import Catalogue
    from search.evaluation.evaluate import Plan, evaluate

    wanted = [Gate.parse(text) for text in gates or []]
    plan = Plan(_cuts(cuts), street, queries, seed, calibrate)
    plan.check()
    catalogue = Catalogue.open(context.obj)
    with counting("evaluate", "photo") as tick:
        measured = evaluate(catalogue, plan, lambda: load_describer(context.obj), tick)
    _say_unread(measured)
    checked = [gate.checked(measured.runs[0]) for gate in wanted]
    _tell(measured, checked, as_json)
    _keep(catalogue, measured, checked, report)
    _pass_or_exit(checked)


def _tell(measured: "Evaluation", checked: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print what was measured, and which weights to take."""
    from api.console.evaluation_tables import evaluation_json, print_evaluation, suggestion

    if as_json:
        emit(evaluation_json(measured, checked))
    else:
        print_evaluation(measured)
    say(suggestion(measured))


def _keep(
    catalogue: "Catalogue",
    measured: "Evaluation",
    checked: Sequence[dict[str, Any]],
    report: Path | None,
) -> None:
    """Store the calibration and write the page, if there are any."""
    from api.reports.evaluation_page import write_page
    from search.ranking.confidence import store_calibration

    if measured.calibrated is not None:
        store_calibration(catalogue, measured.calibrated.calibration)
        say("calibrated: hits of searches by photo now have a confidence")
    if report:
        write_page(report, catalogue, measured, checked)
        say(f"wrote {report}")


def _cuts(text: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(cut.strip() for cut in text.split(",") if cut.strip()))


def _say_unread(measured: "Evaluation") -> None:
    for run in measured.runs:
        if run.unread:
            for reason in run.unread[:UNREAD_SHOWN]:
                say(reason)
            say(f"{run.name}: {len(run.unread)} photos could not be asked with")


def _pass_or_exit(checked: Sequence[dict[str, Any]]) -> None:
    for gate in checked:
        verdict = "passed" if gate["passed"] else "FAILED"
        say(
            f"gate {verdict}: {gate['measure']} is {gate['value']:.3f} (95 %: {gate['low']:.3f} to "
            f"{gate['high']:.3f}), wanted {gate['wanted']:g}"
        )
    if not all(gate["passed"] for gate in checked):
        raise typer.Exit(FAILED)
