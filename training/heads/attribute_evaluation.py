"""Measure the attribute heads as the product shows them: the category among those of its slot."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.finetuning.head_report import HeadScore, measure
from indexer.finetuning.head_training import LabelledEmbeddings
from indexer.garments import WORN_SLOTS, Slot
from indexer.models.attribute_heads import CATEGORY, AttributeHeads
from search.evaluation.confidence_fit import Reliability
from training.heads.attribute_labels import LabelledCrop
from training.heads.calibration import reliabilities

MISTAKES = 3  # of a label's commonest ones, in the table of labels


def slots_of(crops: Sequence[LabelledCrop]) -> list[Slot]:
    """Return each crop's slot."""
    known: dict[str, Slot] = {slot: slot for slot in WORN_SLOTS}
    return [known[crop.labels["slot"][0]] if "slot" in crop.labels else "unknown" for crop in crops]


def category_scores(
    heads: AttributeHeads, data: LabelledEmbeddings, crops: Sequence[LabelledCrop]
) -> list[HeadScore]:
    """Score the category as shown, the likeliest of the garment's slot: all sets, then each."""
    slots = slots_of(crops)
    sources = np.array([crop.source for crop in crops])
    category = tuple(target for target in data.targets if target.name == CATEGORY)
    rows = []
    for source in ("", *sorted(set(sources))):
        held_out = data.held_out & ((sources == source) | (source == ""))
        part = replace(data, targets=category, held_out=held_out)
        name = f"category of its slot{', ' if source else ''}{source}"
        rows += [replace(score, name=name) for score in measure(heads, part, slots)]
    return rows


def label_table(
    heads: AttributeHeads, data: LabelledEmbeddings, crops: Sequence[LabelledCrop]
) -> str:
    """Return how often each category is right, and what it is mistaken for, as Markdown."""
    head = next(head for head in heads.heads if head.name == CATEGORY)
    target = next(target for target in data.targets if target.name == CATEGORY)
    slots, rows = slots_of(crops), np.flatnonzero(data.held_out & target.known)
    scores = head.scores(data.embeddings[rows])
    said = [
        head.labels[int(head.in_slot(each, slots[row]).argmax())]
        for each, row in zip(scores, rows.tolist(), strict=True)
    ]
    truth = [head.labels[int(number)] for number in target.truth[rows]]
    lines = ["| category | held out | said | right | mistaken for |", "|---|---|---|---|---|"]
    for label in sorted(set(truth) | set(said)):
        answers = [answer for answer, true in zip(said, truth, strict=True) if true == label]
        wrong = Counter(answer for answer in answers if answer != label).most_common(MISTAKES)
        mistakes = ", ".join(f"{word} {count}" for word, count in wrong)
        right = answers.count(label)
        lines.append(f"| {label} | {len(answers)} | {said.count(label)} | {right} | {mistakes} |")
    return "\n".join(lines)


def reliability_table(found: dict[str, Reliability]) -> str:
    """Return how far probabilities are from the truth, as Markdown."""
    lines = ["| head | held out | calibration error | of a perfect head |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {each.n} | {each.error:.3f} | {each.by_chance:.3f} |"
        for name, each in found.items()
    ]
    return "\n".join(lines)


def reliability_report(
    heads: AttributeHeads, data: LabelledEmbeddings, crops: Sequence[LabelledCrop]
) -> str:
    """Return the table of all heads, and the category's probabilities beside the truth."""
    found = reliabilities(heads, data, slots_of(crops))
    bins = ["| category said at | right | held out |", "|---|---|---|"]
    bins += [f"| {said:.2f} | {right:.2f} | {n} |" for said, right, n in found[CATEGORY].bins]
    return f"{reliability_table(found)}\n\n" + "\n".join(bins)
