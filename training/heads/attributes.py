"""Train the bundled attribute heads and write their model card.

    python -m training.heads.attributes [--out indexer/weights/attributes] [--seed 0] [--steps 600]

Run it after every training of the encoder: the heads read its embeddings. Takes a quarter of an
hour on one core. A head that is not clearly better than a constant answer
(`indexer.finetuning.head_report`) is not written.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.finetuning.head_report import HeadScore, keep_clear, measure
from indexer.finetuning.head_training import LabelledEmbeddings, number_labels, train_heads
from indexer.garments import WORN_SLOTS
from indexer.inference.runtime import Runtime
from indexer.models.attribute_heads import AttributeHeads, HeadKind
from indexer.models.encoder import BATCH, ClipEncoder
from indexer.models.loading import BUNDLED
from indexer.settings import Settings
from indexer.system.batching import batches
from indexer.system.checksums import write_sums
from training.heads.attribute_card import Trained, write_card
from training.heads.attribute_evaluation import slots_of
from training.heads.attribute_labels import MULTI_LABEL, LabelledCrop, labelled_crops
from training.heads.calibration import calibrate

MIN_EXAMPLES = 16  # a label with fewer cannot be learned, nor its learning be measured
MIN_HELD_OUT = 10  # groups; on fewer a head's score says nothing
MIN_SLOT_SHARE = 0.01  # of a head's garments: fewer are slips of the labels
MIN_GROUPS = 3  # of one product's photos a head would learn the product, not the label


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The crops' labels in order, embeddings of the crops (n, d) and of their whole photos."""

    crops: Sequence[LabelledCrop]
    garments: NDArray[np.float32]
    photos: NDArray[np.float32]


def main() -> None:
    """Train, measure on what was held out, and write heads and card."""
    parser = argparse.ArgumentParser(prog="training.heads.attributes", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED["attributes"].folder)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    runtime = Runtime.of(Settings())
    encoder = ClipEncoder.load(f"local-dir:{BUNDLED['encoder'].folder}", runtime)
    embedded = embed(labelled_crops(encoder.fill), encoder)
    data = label(embedded)
    trained, _ = train_heads(data, options.steps, options.seed)
    scores = measure(trained, data)
    clear = keep_clear(trained, scores)
    kept = with_targets_of(clear, data)
    slots = slots_of(embedded.crops)
    calibrated, temperatures = calibrate(clear, kept, slots, options.steps, options.seed)
    heads = with_slots(calibrated, embedded.crops)
    heads.save(options.out)
    baseline = whole_photo_baseline(embedded, data, options.steps, options.seed)
    result = Trained(heads, kept, embedded.crops, temperatures)
    card = write_card(result, scores, baseline, options.seed, options.steps)
    (options.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_sums(options.out)
    print(card)


def with_targets_of(heads: AttributeHeads, data: LabelledEmbeddings) -> LabelledEmbeddings:
    """Return the data with the targets of these heads only, in their order."""
    by_name = {target.name: target for target in data.targets}
    return replace(data, targets=tuple(by_name[head.name] for head in heads.heads))


def with_slots(heads: AttributeHeads, crops: Sequence[LabelledCrop]) -> AttributeHeads:
    """Note with each head the slots that it was taught on: what it says of others is a guess."""
    noted = []
    for head in heads.heads:
        of = [crop.labels["slot"][0] for crop in crops if {head.name, "slot"} <= {*crop.labels}]
        taught = tuple(s for s in WORN_SLOTS if of.count(s) >= MIN_SLOT_SHARE * len(of))
        noted.append(replace(head, slots=taught))
    return AttributeHeads(noted)


def embed(crops: Iterable[LabelledCrop], encoder: ClipEncoder) -> Embedded:
    """Embed crops and their photos batch by batch, and let the pictures go."""
    kept: list[LabelledCrop] = []
    garments, photos = [], []
    nothing = np.zeros((1, 1, 3), np.uint8)
    for batch in batches(crops, BATCH):
        garments.append(encoder.embed([crop.pixels for crop in batch]))
        # A photo with three garments is embedded once.
        distinct = {id(crop.photo): crop.photo for crop in batch}
        rows = encoder.embed(list(distinct.values()))
        place = {key: i for i, key in enumerate(distinct)}
        photos.append(rows[[place[id(crop.photo)] for crop in batch]])
        kept += [replace(crop, pixels=nothing, photo=nothing) for crop in batch]
    return Embedded(kept, np.concatenate(garments), np.concatenate(photos))


def label(embedded: Embedded) -> LabelledEmbeddings:
    """Number the crops' labels; labels with few examples are left out, and attributes with one."""
    crops = embedded.crops
    targets = []
    for name in sorted({name for crop in crops for name in crop.labels}):
        values = [crop.labels.get(name, ()) for crop in crops]
        labels = WORN_SLOTS if name == "slot" else _common(crops, name)
        measured = {
            c.group for c in crops if c.held_out and set(c.labels.get(name, ())) & {*labels}
        }
        if len(labels) > 1 and len(measured) >= MIN_HELD_OUT:
            kind: HeadKind = "sigmoid" if name in MULTI_LABEL else "softmax"
            targets.append(number_labels(name, values, kind, labels))
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(crop.group, len(numbers)) for crop in crops]
    held_out = np.array([crop.held_out for crop in crops])
    return LabelledEmbeddings(embedded.garments, tuple(targets), held_out, np.array(groups))


def _common(crops: Sequence[LabelledCrop], name: str) -> tuple[str, ...]:
    """Return the labels with enough training examples, from enough groups, by name."""
    seen = [
        (word, crop.group)
        for crop in crops
        if not crop.held_out
        for word in crop.labels.get(name, ())
    ]
    examples = Counter(word for word, _ in seen)
    groups = Counter(word for word, _ in set(seen))
    return tuple(
        sorted(w for w, n in examples.items() if n >= MIN_EXAMPLES and groups[w] >= MIN_GROUPS)
    )


def whole_photo_baseline(
    embedded: Embedded, data: LabelledEmbeddings, steps: int, seed: int
) -> list[HeadScore]:
    """Train and measure one softmax over the category on whole photos, and the same on garments."""
    category = tuple(target for target in data.targets if target.name == "category")
    rows = []
    for name, rows_in in (("whole photo", embedded.photos), ("garment", embedded.garments)):
        simple = replace(data, embeddings=rows_in, targets=category)
        heads, _ = train_heads(simple, steps, seed)
        rows += [replace(score, name=f"category, {name}") for score in measure(heads, simple)]
    return rows


if __name__ == "__main__":
    main()
