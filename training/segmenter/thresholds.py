"""Choose each slot's least confidence on the held-out street photos.

    python -m training.segmenter.thresholds --bundle FOLDER

Slots differ: a shirt under a coat is seen faintly and is there all the same. Of the confidences
that find and invent garments about equally well (F1), the one with the best masks is taken. The
result is written into the bundle's config.json.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from indexer.garments import WORN_SLOTS, Garments, Slot
from indexer.inference.runtime import Runtime
from indexer.models.detection.segmenter import Segmenter
from training.data.ccp import read_ccp, skirts_corrected
from training.segmenter.dataset import Example, ccp_examples
from training.segmenter.evaluate import BUNDLE, detect_all
from training.segmenter.mask_matching import Match, match, mean_iou, recall
from training.segmenter.network import read_config, write_config

# No farther from the usual 0.25: more would fit the slots to 85 photos of one kind.
CANDIDATES = (0.15, 0.20, 0.25, 0.30)
NEARLY = 0.05  # of F1: three garments of 60; a missed one costs a search more than one too many


def main() -> None:
    """Choose the thresholds and write them into the bundle."""
    parser = argparse.ArgumentParser(prog="training.segmenter.thresholds", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    bundle = parser.parse_args().bundle
    config = replace(read_config(bundle), thresholds=())
    write_config(bundle, config)
    _, held_out = ccp_examples(read_ccp())
    examples = [replace(e, garments=skirts_corrected(e.garments)) for e in held_out]
    found = detect_all(Segmenter.load(bundle, Runtime.choose("cpu")), examples)
    thresholds = tuple(choose_threshold(found, examples, slot) for slot in WORN_SLOTS)
    write_config(bundle, replace(config, thresholds=thresholds))
    print(dict(zip(WORN_SLOTS, thresholds, strict=True)))


def choose_threshold(found: Sequence[Garments], examples: Sequence[Example], slot: Slot) -> float:
    """Choose the confidence at which a slot's finds are believed."""
    scores: dict[float, tuple[float, float]] = {}
    for candidate in CANDIDATES:
        matches = [
            match(garments, example.garments, slot, candidate)
            for garments, example in zip(found, examples, strict=True)
        ]
        scores[candidate] = f1(matches, candidate), mean_iou(matches)
    return best_of(scores)


def best_of(scores: Mapping[float, tuple[float, float]]) -> float:
    """Return the candidate with the best mean IoU of those with nearly the best F1."""
    enough = max(f1 for f1, _ in scores.values()) - NEARLY
    return max((c for c, (f1, _) in scores.items() if f1 >= enough), key=lambda c: scores[c][1])


def f1(matches: Sequence[Match], confidence: float) -> float:
    """Return the harmonic mean of precision and recall of the finds of at least a confidence."""
    n_found = sum(int((one.confidences >= confidence).sum()) for one in matches)
    n_worn = sum(one.n_worn for one in matches)
    right = recall(matches) * n_worn
    return 2 * right / (n_found + n_worn) if n_found + n_worn else 0.0


if __name__ == "__main__":
    main()
