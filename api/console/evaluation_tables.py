"""Show an evaluation: tables for the terminal, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from api.console.hit_tables import plain_console
from api.console.terminal import showable
from indexer.errors import QueryError
from search.evaluation.confidence_fit import Calibrated
from search.evaluation.evaluate import Evaluation, Run, Slice
from search.evaluation.gallery_ranking import MEASURES
from search.evaluation.weight_grid import CHOSEN_BY

SHORT = ("recall@1", "recall@5", "recall@10", "MRR", "mAP", "group@1", "group@10")
FEWEST_SHOWN = 5  # queries; of fewer a category's row says nothing. JSON has them all
GRID_SHOWN = 5
IN_TERMINAL = 5  # measures: with more a table is wider than 80 letters


@dataclass(frozen=True, slots=True)
class Gate:
    """A measure that must reach a value."""

    measure: str
    wanted: float

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """Read `recall_at_10=0.8`. Raises QueryError."""
        name, _, value = text.partition("=")
        try:
            gate = cls(name.strip(), float(value))
        except ValueError:
            raise QueryError(f"gate {text!r}; expected like recall_at_10=0.8") from None
        if gate.measure not in MEASURES or not 0 <= gate.wanted <= 1:
            raise QueryError(
                f"gate {text!r}; expected one of {', '.join(MEASURES)}, = and a number in 0..1"
            )
        return gate

    def checked(self, run: Run) -> dict[str, Any]:
        """Return how the estimate over all queries of a run stands to it."""
        value, low, high = run.slices[0].measures[self.measure]
        return {**asdict(self), "value": value, "low": low, "high": high,
                "passed": value >= self.wanted}  # fmt: skip


def evaluation_json(evaluation: Evaluation, gates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return all that was measured."""
    trial, gallery = evaluation.trial, evaluation.gallery
    return {
        "catalogue": evaluation.catalogue,
        "fingerprint": evaluation.fingerprint,
        "garments": len(gallery),
        "products": len(gallery.products),
        "groups": len(gallery.group_start),
        "runs": [_run_json(run) for run in evaluation.runs],
        "weights": {
            "default": dict(trial.grid[0]),
            "grid": [
                {"weights": dict(weights), **dict(zip(MEASURES, _rounded(row), strict=True))}
                for weights, row in zip(trial.grid, trial.measures.tolist(), strict=True)
            ],
            "best": dict(trial.best),
            "measure": CHOSEN_BY,
            "n": trial.n,
            "default_value": round(trial.default, 4),
            "best_value": round(trial.measured, 4),
            "gain": dict(zip(("value", "low", "high"), _rounded(trial.gain), strict=True)),
            "is_better": trial.is_better,
        },
        "calibration": _calibration_json(evaluation.calibrated),
        "gates": list(gates),
    }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "cut": run.cut,
        "street": run.street,
        "queries": len(run.queries),
        "unread": len(run.unread),
        "slices": [
            {"kind": each.kind, "name": each.name, "n": each.n, "groups": each.groups}
            | {
                name: dict(zip(("value", "low", "high"), _rounded(ends), strict=True))
                for name, ends in each.measures.items()
            }
            for each in run.slices
        ],
    }


def _calibration_json(calibrated: Calibrated | None) -> dict[str, Any] | None:
    if calibrated is None:
        return None
    made = calibrated.calibration
    return {
        "queries": made.queries,
        "street": made.street,
        "kinds": sorted(made.curves),
        "sure": made.sure,
        "best_hits": asdict(calibrated.best),
        "all_hits": asdict(calibrated.every),
        "matches": calibrated.matches,
        "matches_when_absent": calibrated.absent,
        "same_product_is_right": calibrated.same_is_right,
    }


def print_evaluation(evaluation: Evaluation) -> None:
    """Print a table for each run, and what weights do."""
    console = plain_console()
    for run in evaluation.runs:
        console.print(_run_table(run))
    console.print(_weight_table(evaluation))
    if evaluation.calibrated is not None:
        console.print(_calibration_table(evaluation.calibrated))


def _run_table(run: Run) -> Table:
    table = Table(title=f"queries cut by {run.name}", title_justify="left")
    table.add_column("", overflow="fold")
    for name in ("queries", *SHORT[:IN_TERMINAL]):
        table.add_column(name, justify="right", no_wrap=True)
    for each in run.slices:
        if each.kind != "category" or each.n >= FEWEST_SHOWN:
            cells = [cell.replace(" (", "\n").rstrip(")") for cell in slice_cells(each)]
            table.add_row(showable(each.name), str(each.n), *cells[:IN_TERMINAL])
    return table


def slice_cells(each: Slice) -> list[str]:
    """Write the measures of a slice with their intervals."""
    return [f"{value:.3f} ({low:.2f}–{high:.2f})" for value, low, high in each.measures.values()]


def _weight_table(evaluation: Evaluation) -> Table:
    trial = evaluation.trial
    table = Table(title="weights, by MRR over all queries", title_justify="left")
    for name in ("visual", "colour", "attributes", *SHORT[:IN_TERMINAL]):
        table.add_column(name, justify="right")
    column = MEASURES.index(CHOSEN_BY)
    order = sorted(range(len(trial.grid)), key=lambda i: -trial.measures[i, column])
    for i in dict.fromkeys([0, *order[:GRID_SHOWN]]):
        weights = [f"{value:g}" for value in trial.grid[i].values()]
        table.add_row(*weights, *(f"{value:.3f}" for value in trial.measures[i][:IN_TERMINAL]))
    return table


def _calibration_table(calibrated: Calibrated) -> Table:
    table = Table(title="calibration, on groups it was not made of", title_justify="left")
    for name in ("", "hits", "calibration error", "of a perfect one, by chance"):
        table.add_column(name, justify="right")
    for name, each in (("best hits", calibrated.best), ("all hits", calibrated.every)):
        table.add_row(name, str(each.n), f"{each.error:.3f}", f"{each.by_chance:.3f}")
    return table


def suggestion(evaluation: Evaluation) -> str:
    """Say in a sentence which weights to take."""
    trial = evaluation.trial
    value, low, high = trial.gain
    best = " ".join(f"--weight {part}={weight:g}" for part, weight in trial.best.items())
    half = f"on the {trial.n} queries of the other half of the groups"
    if trial.best == trial.grid[0]:
        return f"weights: the defaults are the best of the grid; {half} MRR is {trial.default:.3f}"
    change = (
        f"MRR {trial.default:.3f} -> {trial.measured:.3f} ({value:+.3f}, {low:+.3f} to {high:+.3f})"
        f" {half}"
    )
    if trial.is_better:
        return f"weights: {best} finds more than the defaults: {change}"
    return f"weights: keep the defaults; {best} is not clearly better: {change}"


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]
