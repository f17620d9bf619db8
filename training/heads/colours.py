"""Make the bundled colour names and prototypes, with their card.

    python -m training.heads.colours [--out indexer/weights/colours]

Takes ten minutes on two cores. The names are learned from the training skus of the Luma set and
from public names; the card's tables are measured on all of its main photos, test skus apart.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from indexer.colour.knn_namer import ColourNamer
from indexer.settings import WEIGHTS
from indexer.system.checksums import write_sums
from training.heads.colour_evaluation import Named, name_all, prototype_table, table
from training.heads.colour_garments import ShopGarment, shop_garments
from training.heads.colour_neighbours import Point, public_points, shop_points
from training.heads.colour_prototypes import make_prototypes

FOLDER = WEIGHTS / "colours"
COLUMNS = ("hex", "basic", "name", "weight", "source")
CARD = """# Model card: lapel-colours

Labelled colours that garments' colours are named by (`names.csv`, k-nearest neighbours in CIELAB),
and what a garment of each named colour looks like (`prototypes.safetensors`, histograms).
Written by `training/heads/colours.py` on {date}. Command: `python -m training.heads.colours`.

- Data: the XKCD colour survey's names (CC0), a palette of cloth colours chosen by hand, and the
  main colours of the main photos of Luma's training skus (Magento 2 sample data, OSL-3.0 / AFL-3.0)
  under five lights, with the shop's own words: {sources}. Prototypes: garments of one colour in
  those photos and in the training photos of Clothing Co-Parsing (Apache-2.0) and of the clothing
  dataset (CC0): {n_garments}.
- Split: skus that `training.data.luma.is_test_sku` keeps are in no file here.
- Licence: Apache-2.0.

## Scores
The share of Luma's main photos whose garment's first or second name has the same basic name as the
shop's word, with 95 % bootstrap intervals. Light is simulated in linear light on the whole photo,
before detection: a stop of exposure either way, and casts of 1.15 and 0.85 on red and blue. The
training skus' own colours are among the labelled ones, so their column flatters.

{agreement}

The same with the photo's light not estimated:

{unlit}

A colour's word as a query (its prototype against the photos' histograms): the share of the first
five of Luma's main photos that the shop calls the same, for each of the shop's words.

{prototypes}

## What fails
{failures}
Of the {n_missed} photos that disagree as photographed: {missed}.
"""
FAILURES = """- The shop's word is not what the photo shows: black trousers sold as blue,
  grey leggings as white, pink tops as red, black shorts under the word of their lining.
- The segmenter takes the t-shirt under an open jacket, or skin beside a sports bra.
- A stop of overexposure clips pale colours to white; nothing in the photo says what they were.
- Borders between words: light grey and white, navy and black, pastel orange and tan.
"""


def main() -> None:
    """Write names, prototypes and card."""
    parser = argparse.ArgumentParser(prog="training.heads.colours", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    garments = list(shop_garments())
    train = [g for g in garments if not g.is_test]
    points = write_names(options.out, train)
    namer = ColourNamer.load(options.out / "names.csv")
    plain_light = [g for g in train if g.light_name == "as photographed"]
    prototypes, counts = make_prototypes(plain_light, points, namer)
    prototypes.save(options.out / "prototypes.safetensors")
    named = name_all(garments, namer)
    unlit = table(name_all(garments, namer, use_light=False))
    card = write_card(points, counts, named, unlit, prototype_table(garments, prototypes))
    (options.out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_sums(options.out)
    print(card)


def write_names(folder: Path, garments: Sequence[ShopGarment]) -> list[Point]:
    """Write `names.csv` and return its points; garments are those of the training skus."""
    points = public_points() + shop_points(garments)
    # A file of hex codes: what has the same code, basic name and source is one colour.
    rows = list({tuple(point.row().values()): point.row() for point in points}.values())
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "names.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return points


def write_card(
    points: Sequence[Point],
    counts: Mapping[str, int],
    named: Sequence[Named],
    unlit: str,
    prototypes: str,
) -> str:
    """Return the model card."""
    missed = [n for n in named if n.garment.light_name == "as photographed" and not n.agrees]
    return CARD.format(
        date=datetime.now(UTC).date().isoformat(),
        sources=", ".join(f"{n} {s}" for s, n in Counter(p.source for p in points).items()),
        n_garments=", ".join(f"{n} {name}" for name, n in counts.items()),
        agreement=table(named),
        unlit=unlit,
        prototypes=prototypes,
        failures=FAILURES,
        n_missed=len(missed),
        missed="; ".join(f"{n.garment.name} ({n.palette[0].name})" for n in missed),
    )


if __name__ == "__main__":
    main()
