"""Write the encoder's model card from a training run and its measured tables.

python -m benchmarks.quality --only luma kagl text --out runs/encoder/quality.md
python -m training.encoder.card [--work runs/encoder] [--bundle indexer/weights/encoder]
"""

import argparse
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import torch

from indexer.models.loading import BUNDLED
from training.encoder.__main__ import SHARE, SIDES
from training.encoder.batches import DRAWN, OTHERS, PRODUCTS
from training.encoder.bundle import SIDE
from training.encoder.photos import read_garments

TEMPLATE = Path(__file__).with_name("card.md")


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(prog="training.encoder.card", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/encoder"))
    parser.add_argument("--bundle", type=Path, default=BUNDLED["encoder"].folder)
    options = parser.parse_args()
    trained = [g for g in read_garments(options.work / "garments.pt") if g.part == "train"]
    counts = Counter(garment.name.split("-", 1)[0] for garment in trained)
    image, text = (
        torch.load(options.work / name, weights_only=True) for name in ("last.pt", "text.pt")
    )
    card = TEMPLATE.read_text("utf-8").format(
        side=SIDE,
        small=SIDES[0],
        large=SIDES[1],
        share=SHARE,
        date=datetime.now(UTC).date().isoformat(),
        minutes=image["spent"] / 60,
        text_minutes=text["spent"] / 60,
        steps=image["step"],
        text_steps=text["step"],
        batch=2 * (PRODUCTS + OTHERS + DRAWN),
        n_train=len(trained),
        counts=", ".join(f"{n} {kind}" for kind, n in counts.most_common()),
        tables=(options.work / "quality.md").read_text("utf-8").strip(),
    )
    (options.bundle / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    print(f"wrote {options.bundle / 'MODEL_CARD.md'}")


if __name__ == "__main__":
    main()
