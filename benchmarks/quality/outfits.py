"""Measure how early Lapel's compatibility ranks the partner that a person really wears.

    python -m benchmarks.quality.outfits [--kept FILE]

On held-out photos of CCP: five minutes on one core, seconds where `--kept` names a file of photos
described before.
"""

import argparse
from pathlib import Path

from search.recommend.compatibility import Compatibility
from training.heads.outfit_evaluation import evaluate_outfits, outfit_table
from training.heads.outfit_photos import read_wardrobe


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, help="Where described photos are kept, or lie.")
    wardrobe, layout = read_wardrobe(parser.parse_args().kept)
    print(outfit_table(evaluate_outfits(wardrobe, layout, Compatibility.bundled())))


if __name__ == "__main__":
    main()
