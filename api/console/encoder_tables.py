"""Show the verdict on a tuned encoder: a table for people, a report for programs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.finetuning.encoder_trial import Gain
    from search.finetuning.tune_encoder import Tuned

SHOWN = ("recall_at_1", "recall_at_5", "mrr", "mean_average_precision", "group_recall_at_1")


def report_json(tuned: "Tuned", how: Mapping[str, Any], kept: bool) -> dict[str, Any]:
    """Return the report of a training; `how` says what was trained on what."""
    verdict = tuned.verdict
    return {
        **how,
        "queries": verdict.queries,
        "groups": verdict.groups,
        "gains": [gain.as_json() for gain in verdict.gains],
        "by_weights": verdict.by_weights.as_json(),
        "text": verdict.text.as_json() if verdict.text else None,
        "is_better": verdict.is_better,
        "reasons": verdict.reasons,
        "kept": kept,
        "heads_agree": tuned.agrees,
        "heads_lost": list(tuned.lost),
        "curve": [[point.step, point.training, point.held_out] for point in tuned.curve],
    }


def verdict_table(tuned: "Tuned") -> str:
    """Return what was gained, as Markdown."""
    verdict = tuned.verdict
    gains = [gain for gain in verdict.gains if gain.measure in SHOWN]
    head = (
        f"{verdict.queries} photos of {verdict.groups} groups asked with, each group held out from "
        "the training it is asked of\n\n"
        "| measure | before | after | gain (95 %) |\n|---|---|---|---|"
    )
    gains += [verdict.by_weights, *([verdict.text] if verdict.text else [])]
    return "\n".join([head, *map(_row, gains)])


def _row(gain: "Gain") -> str:
    mean, low, high = gain.gain
    name, before, after = gain.measure, gain.before[0], gain.after[0]
    return f"| {name} | {before:.3f} | {after:.3f} | {mean:+.3f} ({low:+.3f} to {high:+.3f}) |"
