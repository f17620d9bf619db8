"""Measure the quality of the bundled models on the shared sets: every table, as Markdown.

    python -m benchmarks.quality [--only PART ...] [--out FILE]

With 95 % bootstrap intervals over photos or queries. Takes about ten minutes on two cores; the sets
are those of `$LAPEL_SHARED`, else `../shared`. Nothing here is used to choose anything. Models run
as the settings say (`LAPEL_PRECISION`, `LAPEL_DEVICE`); the first line says how they really did.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import kagl, luma, people, shop_slots, text
from indexer.colour.knn_namer import bundled_namer
from indexer.finetuning.head_report import measure, to_table
from indexer.garments import WORN_SLOTS, Slot
from indexer.inference.runtime import Runtime
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.detection.segmenter import Segmenter
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import BUNDLED, Models, load_models
from indexer.models.protocols import Detector
from indexer.settings import Settings
from search.evaluation.bootstrap import cell, interval_of, table, written
from training.heads import attributes as attribute_training
from training.heads import colour_evaluation as colours_eval
from training.heads.attribute_evaluation import (
    category_scores,
    label_table,
    reliability_report,
)
from training.heads.attribute_labels import labelled_crops
from training.heads.colour_garments import shop_garments
from training.segmenter import evaluate as segmenter_eval
from training.segmenter.mask_matching import Match, average_precision, ious_where_worn, pooled_iou

STEPS = 600  # of the baseline's training, as many as the heads'
RESAMPLES = 400  # of photos, for AP, which is not a mean


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--out", type=Path, help="write the tables to this file too")
    options = parser.parse_args()
    written = [run_as()]
    print(written[0], flush=True)
    for name in options.only:
        section = f"## {name}\n\n{SECTIONS[name]()}\n"
        print(section, flush=True)
        written.append(section)
    if options.out:
        options.out.write_text("\n".join(written), encoding="utf-8")


def run_as() -> str:
    """Say where the bundled models really run, and how exactly."""
    return f"detector: {_segmenter().placement}; encoder: {_encoder().placement}\n"


def _segmenter() -> Segmenter:
    return Segmenter.load(BUNDLED["segmenter"].folder, Runtime.of(Settings()))


def _encoder() -> ClipEncoder:
    return ClipEncoder.load(f"local-dir:{BUNDLED['encoder'].folder}", Runtime.of(Settings()))


def segmenter() -> str:
    """Masks on held-out street photos, by occlusion, and whether flat and shop photos are found."""
    model = _segmenter()
    parts = []
    for title, corrected in (("labels as published", False), ("skirts corrected", True)):
        scores = segmenter_eval.ccp_scores(model, corrected=corrected)
        parts.append(_mask_table(f"CCP, held out, {title}", scores))
    hidden = segmenter_eval.occlusion_scores(model)
    rows = [[name, _ap_cell(list(scores.values()))] for name, scores in hidden.items()]
    parts.append(table(["composites: share of the garment hidden", "mask AP50"], rows))
    for name, held_out in (("clothing set, held out", True), ("clothing set, all", False)):
        hits = segmenter_eval.clothing_hits(model, validation_only=held_out)
        parts.append(_hit_table(f"{name}: right slot found", hits))
    for name, tested in (("Luma, test skus", True), ("Luma, all", False)):
        hits = segmenter_eval.shop_hits(model, test_only=tested)
        parts.append(_hit_table(f"{name}: named garment found", hits))
    return "\n\n".join(parts)


def _mask_table(title: str, scores: Mapping[Slot, Sequence[Match]]) -> str:
    rows = []
    worn = [slot for slot in WORN_SLOTS if any(each.n_worn for each in scores[slot])]
    for slot in worn:
        ious = ious_where_worn(scores[slot])
        rows.append([slot, str(len(ious)), _ap_cell([scores[slot]]), cell(ious),
                     f"{pooled_iou(scores[slot]):.3f}"])  # fmt: skip
    rows.append(["mean of slots", "", _ap_cell([scores[slot] for slot in worn]), "",
                 f"{np.mean([pooled_iou(scores[slot]) for slot in worn]):.3f}"])  # fmt: skip
    return table([title, "photos", "mask AP50", "IoU, mean of photos", "IoU, all pixels"], rows)


def _ap_cell(slots: Sequence[Sequence[Match]]) -> str:
    """Return the mean AP50 of slots over the same photos, with its interval."""

    def mean_ap(photos: NDArray[np.int64]) -> float:
        return float(np.mean([average_precision([slot[i] for i in photos]) for slot in slots]))

    return written(interval_of(mean_ap, len(slots[0]), RESAMPLES))


def _hit_table(title: str, hits: Mapping[str, NDArray[np.bool_]]) -> str:
    rows = [[label, str(len(found)), cell(found)] for label, found in hits.items()]
    together = np.concatenate(list(hits.values()))
    return table([title, "photos", "share"], [*rows, ["all", str(len(together)), cell(together)]])


def retrieval() -> str:
    """Luma's back and side photos, as they are and in the street."""
    return luma.measure(load_models(Settings()))


def other_shop() -> str:
    """Photo to photo and title to product on kagl."""
    products = kagl.read_products()
    models, vectors = _kagl()
    return kagl.report(products, vectors, models)


@cache
def _kagl() -> tuple[Models, NDArray[np.float32]]:
    models = load_models(Settings())
    with tempfile.TemporaryDirectory() as home:
        return models, kagl.stored_vectors(Path(home), kagl.read_products(), models)


def colours() -> str:
    """Colour names of Luma's main photos beside the shop's words, under several lights."""
    return colours_eval.table(colours_eval.name_all(shop_garments(), bundled_namer()))


def attributes() -> str:
    """The bundled heads on what was held out and on kagl, and the baseline on whole photos."""
    heads = AttributeHeads.load(BUNDLED["attributes"].folder)
    encoder = _encoder()
    embedded = attribute_training.embed(labelled_crops(encoder.fill), encoder)
    data = attribute_training.label(embedded)
    shipped = attribute_training.with_targets_of(heads, data)
    baseline = attribute_training.whole_photo_baseline(embedded, data, STEPS, seed=0)
    shown = category_scores(heads, shipped, embedded.crops)
    parts = [
        to_table([*measure(heads, shipped), *shown, *baseline]),
        label_table(heads, shipped, embedded.crops),
        reliability_report(heads, shipped, embedded.crops),
        kagl.category_table(kagl.read_products(), load_models(Settings())),
    ]
    return "\n\n".join(parts)


def words() -> str:
    """Text search on three catalogues, and on two with what their feeds say."""
    models, vectors = _kagl()
    with tempfile.TemporaryDirectory() as folder:
        galleries = [
            text.sample_gallery(Path(folder) / "sample", models),
            text.luma_gallery(Path(folder) / "luma", models),
            text.kagl_gallery(kagl.read_products(), vectors),
        ]
        return f"{text.report(galleries, models)}\n\n{text.report_searches(galleries)}"


def people_found() -> str:
    """People as they come, by the product's detector and by the segmenter alone."""
    product = load_models(Settings()).detector
    detectors: dict[str, Detector] = {"Lapel": product, "segmenter alone": _segmenter()}
    return f"{people.report(detectors)}\n\n{shop_slots.report(detectors)}"


SECTIONS: Mapping[str, Callable[[], str]] = {
    "people": people_found,
    "segmenter": segmenter,
    "luma": retrieval,
    "kagl": other_shop,
    "text": words,
    "colours": colours,
    "attributes": attributes,
}


if __name__ == "__main__":
    main()
