"""Learn from street photos which garments go together: `indexer/weights/matching`, with its card.

Run: `python -m training.heads.outfits` (five minutes on one core; `--kept FILE` keeps the
described photos).
Photos of `splits/ccp_validation.txt`, and a tenth of those without masks, are never learned from.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from indexer.colour.histogram import HISTOGRAM_VERSION
from indexer.fused_vector import Layout
from indexer.garments import Slot
from indexer.models.loading import BUNDLED
from indexer.system.checksums import write_sums
from search.recommend.compatibility import TABLE, PairTable, read_compatibility
from training.heads.outfit_evaluation import TO_ACCESSORIES, evaluate_outfits, outfit_table
from training.heads.outfit_fit import fit_table
from training.heads.outfit_photos import LEAST_PAIRS, Wardrobe, read_wardrobe

PAIRS: tuple[tuple[Slot, Slot], ...] = (
    ("top", "bottom"),
    ("top", "outer"),
    ("bottom", "outer"),
    ("dress", "outer"),
)
# Of shoes, bags and headwear a table is learned from so many photos: five times the least, because
# without one they go by likeness of colours, which is no bad answer.
ENOUGH_PAIRS = 5 * LEAST_PAIRS
CARD = """\
# lapel-matching: which garments go together

For each two slots that are worn together: a bilinear form of rank 8 on colour histograms, and how
much oftener than by chance two kinds are worn together; besides, colours that are worn often count
a little with anything. `complete` and `outfit` ask it.

| | |
|---|---|
| depends on | the colour histogram ({histogram}) and category names; not on the encoder |
| licence | Apache-2.0 |
| learned from | {photos} photos of Clothing Co-Parsing (Apache-2.0), as the detector sees them |
| made by | `python -m training.heads.outfits` |

## Measured
The really worn partner's place among all held-out garments of its slot: {held_out} photos that
nothing was learned from. 95 % bootstrap intervals over the pairs. A mean place of 0.5 is chance, 0
is always first. Popular: how often kind and basic colour of a garment were worn in the training
photos.

{table}

## What it does not know
- Light is in every photo's colours: a warm evening makes top and trousers both warmer, which helps
  to find the partner in the same photo and says nothing of taste. "Same colours" shows how much
  mere likeness of colours finds: as much or more. It is no taste: beside navy jeans it offers
  navy alone, which is why usual colours count here, at some cost of these numbers. What is
  learned of looks (not shipped) finds more, but a garment's crop has a rim of what is around it,
  the partner's cloth among it, so that number says little of taste either.
- The photos are of street style blogs of about 2012, nearly all of women. What a shop's own looks
  say counts more, as soon as there are some (`lapel outfits learn`).
- Nothing of size, season, occasion or price.
"""


def main() -> None:
    """Learn, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED["matching"].folder)
    parser.add_argument("--kept", type=Path, help="Where described photos are kept, or lie.")
    asked = parser.parse_args()
    wardrobe, layout = read_wardrobe(asked.kept)
    print(make(wardrobe, layout, asked.out))


def make(wardrobe: Wardrobe, layout: Layout, out: Path) -> str:
    """Learn, and write the tables with their card to a folder; returns what was measured."""
    tables = learn(wardrobe, layout)
    out.mkdir(parents=True, exist_ok=True)
    write_tables(tables, out / TABLE)
    # What is measured is what is shipped: half floats move a place here and there.
    measured = outfit_table(evaluate_outfits(wardrobe, layout, read_compatibility(out)))
    card = CARD.format(
        histogram=HISTOGRAM_VERSION,
        photos=len(np.unique(wardrobe.photo[~wardrobe.held_out])),
        held_out=len(np.unique(wardrobe.photo[wardrobe.held_out])),
        table=measured,
    )
    (out / "MODEL_CARD.md").write_text(card, "utf-8")
    write_sums(out)
    return measured


def learn(wardrobe: Wardrobe, layout: Layout) -> dict[tuple[Slot, Slot], PairTable]:
    """Return the table of each pair of slots, of the photos that may be learned from."""
    colours = wardrobe.vectors[:, layout.slices()["colour"]]
    seen = [
        slots for slots in TO_ACCESSORIES
        if len(wardrobe.pairs(*slots, held_out=False)) >= ENOUGH_PAIRS
    ]  # fmt: skip
    return {
        slots: fit_table(colours, wardrobe.category, wardrobe.training_pairs(*slots))
        for slots in (*PAIRS, *seen)
    }


def write_tables(tables: dict[tuple[Slot, Slot], PairTable], path: Path) -> None:
    """Write tables as half floats, with what they are in the file's metadata."""
    from safetensors.numpy import save

    tensors: dict[str, Any] = {}
    notes = []
    for slots, table in tables.items():
        name = "-".join(slots)
        for side in (0, 1):
            tensors[f"{name}.mean_{side}"] = table.means[side].astype(np.float16)
            tensors[f"{name}.map_{side}"] = np.ascontiguousarray(table.maps[side], np.float16)
        tensors[f"{name}.affinity"] = np.ascontiguousarray(table.affinity, np.float16)
        tensors[f"{name}.fit"] = table.fit
        tensors[f"{name}.usual"] = np.ascontiguousarray(table.usual)
        notes.append({"slots": slots, "categories": table.categories})
    said = {"histogram": HISTOGRAM_VERSION, "pairs": json.dumps(notes)}
    # Not save_file: its files are the owner's alone, whatever the umask says.
    path.write_bytes(save(tensors, said))


if __name__ == "__main__":
    main()
