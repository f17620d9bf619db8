"""Train the bundled attribute heads and write their model card.

    python -m training.heads.attributes [--out indexer/weights/attributes] [--seed 0] [--steps 600]

Run it after every training of the encoder: the heads read its embeddings. Takes some minutes. A
head that is not clearly better than a constant answer (`indexer.finetuning.head_report`) is not
written.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.finetuning.head_report import MARGIN, HeadScore, keep_clear, measure, to_table
from indexer.finetuning.head_training import LabelledEmbeddings, number_labels, train_heads
from indexer.garments import WORN_SLOTS
from indexer.inference.runtime import Runtime
from indexer.models.attribute_heads import AttributeHeads, HeadKind
from indexer.models.encoder import BATCH, ClipEncoder
from indexer.models.loading import BUNDLED
from indexer.system.batching import batches
from indexer.system.checksums import write_sums
from training.heads.attribute_labels import MULTI_LABEL, LabelledCrop, labelled_crops

MIN_EXAMPLES = 20  # a label with fewer cannot be learned, nor its learning be measured
MIN_HELD_OUT = 10  # groups; on fewer a head's score says nothing
MIN_SLOT_SHARE = 0.05  # of a head's garments: fewer are slips of the labels
MIN_GROUPS = 3  # of one product's photos a head would learn the product, not the label

CARD = """# Model card: lapel-attributes

Linear heads on lapel-encoder's frozen embeddings, trained together: {heads}.
Written by `training/heads/attributes.py` on {date}. Command: `python -m training.heads.attributes
--seed {seed}
--steps {steps}`.

- Exclusive attributes: softmax and cross-entropy. `material` and `style` are not: a sigmoid a label
  and binary cross-entropy. Labels weigh by their rarity; a garment without an attribute counts for
  the others only.
- Data: garments of Clothing Co-Parsing (Apache-2.0), cut out by their true masks, of the clothing
  dataset (CC0), cut out of plain backgrounds, and of the Luma shop (Magento 2 sample data,
  OSL-3.0 / AFL-3.0), cut out by lapel-segmenter. What a category implies counts as said: a t-shirt
  has short sleeves. Colours of the first two sets are measured, not labelled.
- {n_train} garments to train, {n_held_out} held out (CCP:
`training/data/splits/ccp_validation.txt`;
  clothing: one in ten by the hash of its name; Luma: test skus).
- Licence: Apache-2.0.

Macro-F1 on what was held out, with 95 % bootstrap intervals over groups (a product, or a photo),
beside the best constant answer: the commonest label, or for several labels all of them. A head is
kept when the lower end of its gain's interval is above {margin}.

{table}

The simple baseline, one softmax over the category on the whole photo instead of the garment, on the
same held-out garments:

{baseline}

What still fails: rare categories go to their commoner neighbours; Luma's 106 products are all of
sports wear, so gender, material and style are known of little else; heads that are not kept had too
few products to learn from or to be measured on.
"""


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
    encoder = ClipEncoder.load(f"local-dir:{BUNDLED['encoder'].folder}", Runtime.choose())
    embedded = embed(labelled_crops(encoder.fill), encoder)
    data = label(embedded)
    trained, _ = train_heads(data, options.steps, options.seed)
    scores = measure(trained, data)
    heads = with_slots(keep_clear(trained, scores), embedded.crops)
    heads.save(options.out)
    baseline = whole_photo_baseline(embedded, data, options.steps, options.seed)
    card = write_card(heads, data, scores, baseline, options.seed, options.steps)
    (options.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_sums(options.out)
    print(card)


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


def write_card(
    heads: AttributeHeads,
    data: LabelledEmbeddings,
    scores: Sequence[HeadScore],
    baseline: Sequence[HeadScore],
    seed: int,
    steps: int,
) -> str:
    """Return the model card."""
    return CARD.format(
        heads=", ".join(f"{h.name} ({', '.join(h.labels)})" for h in heads.heads),
        n_train=int((~data.held_out).sum()),
        n_held_out=int(data.held_out.sum()),
        date=datetime.now(UTC).date().isoformat(),
        seed=seed,
        steps=steps,
        margin=MARGIN,
        table=to_table(scores),
        baseline=to_table(baseline),
    )


if __name__ == "__main__":
    main()
