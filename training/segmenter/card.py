"""Write a segmenter's model card: what it is, how it was made, how well it does.

    python -m training.segmenter.card --command "python -m training.segmenter ..." [--drawn 80]
        [--composites 120]

The scores are measured when the card is written, on the files that the card is put beside.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from indexer.inference.runtime import Runtime
from indexer.models.detection.segmenter import Segmenter
from training.data.ccp import read_ccp, read_validation_ids
from training.segmenter import composites
from training.segmenter.drawn import VALIDATION_SEED, drawn_examples
from training.segmenter.evaluate import (
    BUNDLE,
    ccp_scores,
    clothing_hits,
    hits_table,
    matched,
    occlusion_scores,
    occlusion_table,
    shop_hits,
    summarise,
    to_table,
)
from training.segmenter.network import read_config

CARD = """# Model card: Lapel's garment segmenter

Finds the garments worn in a photo, or lying flat in it, and the pixels of each one.
Written by `training/segmenter/card.py` on {date}; scores measured then, on the files beside this
card.

| | |
|---|---|
| architecture | {architecture} (Ultralytics), {image_size} px square, float16 file |
| classes | {classes} |
| default confidence | {confidence}: where the network itself says {thresholds}, bent to one scale |
| licence | {licence} (Ultralytics' code and COCO weights) |

## Made by
{commands}

## Data
- **Start**: Ultralytics' YOLOv8n-seg weights, trained on COCO (AGPL-3.0). All layers but the class
  branch are kept.
- **Clothing Co-Parsing** (Yang, Luo, Lin, CVPR 2014; Apache-2.0): {n_train} street photos with
  masks, one person each. A label in a photo is one garment, its parts united, parts under 0.3 % of
  the photo dropped (0.06 % of shoes, bags and hats). 37 labels map to seven slots, a pair of shoes
  is one garment. A `dress` that starts where the top ends is learnt as a skirt, in 78 of the 89
  training photos with a dress and a top
  (`training.data.ccp.skirts_corrected`). The held-out labels are left as published.
- **The same set's photos without masks** (the segmenter that this one started from; 872 of 947):
  the tags say which slots are worn, an earlier segmenter where.
- **The clothing set** (Grigorev; CC0; 1,500 of 4,018 for the last two commands, all of what is
  rare among them): garments lying or hanging, outlined by GrabCut from a plain background, an
  earlier segmenter's finds or the middle of the photo, called what the set's label says.
- **Shops** (`--lone`): pictures of one garment alone from seven open-source shops' demonstration
  catalogues, seven in ten products.
- **Nobody** (`--lone`): half of the everyday photos (COCO) in which there is nobody.
- **Accessories** (`--accessories`): bags, shoes and hats cut out of the street photos and laid
  alone on other grounds.
- **Luma** (Magento's sample shop; OSL-3.0 / AFL-3.0; the segmenter that this one started from).
- **Close-ups** cut out of the photos with masks, as shops frame them (`--close-ups`).
- **Composites** of the same photos (`--composites`): one to five people cut out by their masks,
  whole or cropped, small or large, before streets, plain colours, gradients and noise; one in ten
  is a person or garment alone on white, one in seventeen has no garment.
- **Flat lays** (`--flat-lays`): the clothing set's garments, turned, on other grounds.
- **Drawn pictures** by the generator of the project's sample shop (`training/sample_shop`), worn
  and flat, with other seeds than the shop's own (`--drawn`).
- Photos with rare slots are repeated (repeat-factor sampling, wanted share 0.5); those with masks
  and Luma's are shown more often (`--trusted-times`).

## Split
Never trained on: {n_validation} of CCP's {n_masked} masked photos, chosen by the sha256 of their
ids (`training/data/splits/ccp_validation.txt`); a tenth of the clothing set by the hash of the
names;
Luma's test skus, four in ten by their hash; kagl, and all seeds that the composed and drawn
pictures below are made from. CCP's held-out photos were looked at during the work: the slots'
confidences (`training.segmenter.thresholds`) were chosen on them, which flatters the mean IoU a
little and leaves AP as it is. The weights are the running mean at the end of the last command.
Squares of 352 and 416 px and means with earlier weights were tried on them and not taken: AP50
0.75 to 0.77. So was training on for 93 minutes at 512 px: AP50 0.739, mean IoU of tops 0.692.

## Scores
Mask AP50 as COCO defines it, with finds down to 0.001. *Mean IoU*: over the photos that wear the
slot, union of the true masks against union of the found ones at the default confidence, 0 where
none is found. *Pooled IoU*: the shared pixels of all the photos over the united ones, as a class's
IoU in semantic segmentation; photos that do not wear the slot count with what is found in them.

Street photos (CCP, held out; `python -m training.segmenter.evaluate`):

{ccp_table}

The same photos, with dresses that are skirts corrected in the truth too:

{corrected_table}

The clothing set's held-out photos: share in which a garment of the label's slot is found at the
default confidence:

{clothing_table}

Luma's main photos of skus not trained on, the same of the slot that the shop names (jackets: top or
outer), and below it all main photos:

{shop_test_table}

{shop_table}

Composites of held-out photos (the same generator, people and backgrounds not trained on):

{composite_table}

The same by how much of the garment is hidden by other people or cut off; what a person's own coat
hides is not known. Recall at the default confidence; finds that match no garment count as wrong in
each row, so rows of few garments have a low AP:

{occlusion_table}

Drawn pictures (seeds not trained on, but the same generator):

{drawn_table}

## What fails
{failures}
"""

# Seen by looking at the held-out photos, Luma's, the clothing set's and ultralytics' two samples.
FAILURES: tuple[str, ...] = (
    "CCP's targets (mean IoU of tops 0.72, dresses 0.58, outerwear 0.74) are missed. Of 21 held- "
    "out photos with a wrong or missed top that were looked at with an earlier segmenter, about "
    "half are matters of naming: a shirt worn with a skirt of its cloth is labelled a dress, a "
    "leather jacket over trousers has no label, a fur jacket is a coat or a top.",
    "A dress against a top with a matching skirt: both readings come; the product keeps one.",
    "Heads and hands near the camera: grey hair is headwear, and the dark lower part of a jacket "
    "a bag, on the right man of ultralytics' `zidane.jpg`.",
    "Small people: the product asks the parser for those.",
    "Bags by themselves: of the shops' five held-out pictures one is right; there were twelve to "
    "learn from. A messenger bag is a shoe or a hat.",
    "Things that are no garments: food, wheels and furniture are shoes at up to 0.8, so lone "
    "shoes count from there only, which loses a third of the shoes that lie alone.",
    "Clothes lying flat: a shirt with buttons may be called an outer garment, a zipped hoodie "
    "too, a child's dress of two colours a top and a skirt; a garment that fills the whole photo, "
    "or one on cloth of its own pattern, is missed or joined with the cloth.",
    "Shadows beside black clothes may join the mask: CCP's own masks do so at times.",
)


def main() -> None:
    """Write the card beside the bundle and say where."""
    parser = argparse.ArgumentParser(prog="training.segmenter.card", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--command", action="append", required=True, help="how it was trained")
    parser.add_argument("--drawn", type=int, default=80, help="drawn pictures to measure on")
    parser.add_argument("--composites", type=int, default=120, help="composites to measure on")
    options = parser.parse_args()
    card = write_card(options.bundle, options.command, options.drawn, options.composites)
    path = options.bundle / "MODEL_CARD.md"
    path.write_text(card, encoding="utf-8")
    print(path)


def write_card(bundle: Path, commands: Sequence[str], n_drawn: int, n_composites: int) -> str:
    """Measure a bundle and return its card. Takes two minutes."""
    config = read_config(bundle)
    least = config.thresholds or [config.confidence] * len(config.classes)
    said = ", ".join(f"{t:g} ({name})" for name, t in zip(config.classes, least, strict=True))
    n_masked, n_validation = len(read_ccp().masked()), len(read_validation_ids())
    return CARD.format(
        **{**asdict(config), "classes": ", ".join(config.classes), "thresholds": said},
        date=datetime.now(UTC).date().isoformat(),
        commands="\n".join(f"    {command}" for command in commands),
        n_train=n_masked - n_validation,
        n_validation=n_validation,
        n_masked=n_masked,
        **_tables(Segmenter.load(bundle, Runtime.choose("cpu")), n_drawn, n_composites),
        failures="\n".join(f"- {failure}" for failure in FAILURES),
    )


def _tables(segmenter: Segmenter, n_drawn: int, n_composites: int) -> dict[str, str]:
    drawn = drawn_examples(n_drawn, VALIDATION_SEED)
    seed = composites.VALIDATION_SEED
    composed = composites.scene_examples(n_composites, seed, held_out=True)
    return {
        "ccp_table": to_table(summarise(ccp_scores(segmenter))),
        "corrected_table": to_table(summarise(ccp_scores(segmenter, corrected=True))),
        "clothing_table": hits_table(clothing_hits(segmenter)),
        "shop_test_table": hits_table(shop_hits(segmenter)),
        "shop_table": hits_table(shop_hits(segmenter, test_only=False)),
        "composite_table": to_table(summarise(matched(segmenter, composed))),
        "occlusion_table": occlusion_table(occlusion_scores(segmenter, n_composites)),
        "drawn_table": to_table(summarise(matched(segmenter, drawn))),
    }


if __name__ == "__main__":
    main()
