"""Tune an encoder on a shop's described garments, and judge it on groups it has not seen.

The small head is judged by folds: each group is searched with a map that was fitted without it, and
the map that is written is fitted on all. The whole tower is trained once, without a fifth of the
groups, and judged on these.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import ModelError
from indexer.finetuning.augmentation import augment
from indexer.finetuning.crop_recorder import CropRecorder
from indexer.finetuning.full_training import FullPlan, FullTuning
from indexer.finetuning.head_training import CurvePoint
from indexer.finetuning.head_transfer import agreeing_heads, agreement, transfer_heads
from indexer.finetuning.linear_map import Lessons, fit_map, mapped, mean_curve
from indexer.finetuning.map_folding import State, fold
from indexer.fused_vector import check_finite
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.open_clip_towers import OpenClipModel
from search.evaluation.gallery import Gallery, read_gallery
from search.evaluation.gallery_ranking import MEASURES
from search.evaluation.queries import Query
from search.finetuning.encoder_trial import (
    BY_WEIGHTS,
    DECIDING,
    TEXT,
    Gain,
    Texts,
    Verdict,
    described_by,
    gain_of,
    gains_of,
    measured,
    read_titles,
    spread,
    text_precision,
    trial_queries,
)

FOLDS = 5
VIEWS = 6  # made of each garment, beside the one that is stored
CHECKED = 16  # crops and titles by which it is seen that what was written is what was tuned
# Garments that are learned from: more make the views take long, and a map of few weights no better.
MOST_GARMENTS = 6_000

Rows = NDArray[np.float32]
Numbers = NDArray[np.int64]
Measures = NDArray[np.float64]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """What is trained on and judged by; `products` and `groups` (n,) are of garments.

    A garment that several products show is a product of its own.
    """

    gallery: Gallery
    queries: Sequence[Query]
    encoder: CropRecorder
    heads: AttributeHeads
    texts: Texts | None
    visual: Rows
    products: Numbers
    groups: Numbers

    def crops(self, rows: Sequence[int] | Numbers) -> list[NDArray[np.uint8]]:
        """Return some garments' crops. Raises ModelError when one is lost."""
        found = [self.encoder.crop_of(self.visual[row].astype(np.float16)) for row in rows]
        kept = [crop for crop in found if crop is not None]
        if len(kept) < len(found):
            raise ModelError(
                f"{len(found) - len(kept)} crops of garments are gone from {self.encoder.folder}; "
                "delete that folder's parent, and the feed's photos are described again"
            )
        return kept


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """A tuned encoder: how it was judged, its weights, and heads that read it.

    `says` is what it should say of some garments' crops, `hears` of some titles. `agrees` is for
    how many garments each head says the same as before; `lost` are those that say too much else.
    """

    verdict: Verdict
    curve: Sequence[CurvePoint]
    state: State
    heads: AttributeHeads
    lost: Sequence[str]
    agrees: dict[str, float]
    says: Rows
    hears: Rows | None


def read_shop(
    catalogue: Catalogue, encoder: CropRecorder, heads: AttributeHeads, count: int, seed: int
) -> Shop:
    """Read what a catalogue holds, described by this encoder. Raises EvaluationImpossible."""
    gallery = read_gallery(catalogue)
    queries = trial_queries(gallery, count, seed)
    visual = np.asarray(gallery.vectors[:, gallery.layout.slices()["visual"]], np.float32)
    shown = np.bincount(gallery.link_row, minlength=len(gallery))
    sizes = np.diff(np.append(gallery.link_start, len(gallery.link_row)))
    products = np.zeros(len(gallery), np.int64)
    products[gallery.link_row] = np.repeat(np.arange(len(gallery.products)), sizes)
    groups = gallery.group_of[products]
    shared = np.flatnonzero(shown > 1)
    products[shared] = len(gallery.products) + np.arange(len(shared))
    texts = None
    titles = read_titles(catalogue, gallery)
    if encoder.speaks_text and titles:
        rows = check_finite(encoder.embed_text(list(titles.values())))
        texts = Texts(np.array(list(titles), np.int64), tuple(titles.values()), rows)
    return Shop(gallery, queries, encoder, heads, texts, visual, products, groups)


def tune_map(shop: Shop, state: State, steps: int, seed: int, tick: Progress) -> Tuned:
    """Fit a map on frozen features; `tick` is told of each garment whose views were made.

    Raises ModelError.
    """
    lessons = _lessons(shop, seed, tick)
    trial, curves = _Trial(shop), []
    for held in _folds(shop, seed):
        out = np.isin(lessons.groups, held)
        change, curve = fit_map(lessons.of(~out), steps, seed, lessons.of(out))
        curves.append(curve)
        trial.judge(mapped(change, shop.visual), _inverse(change), _texts_by(shop, change), held)
    change, _ = fit_map(lessons, steps, seed)
    folded = fold(state, change, text_map(change) if shop.encoder.speaks_text else None)
    says = mapped(change, shop.encoder.embed_only(shop.crops(range(len(shop.gallery))[:CHECKED])))
    heads, lost = trial.heads(mapped(change, shop.visual), _inverse(change))
    return Tuned(
        trial.verdict(), mean_curve(curves), folded, heads, lost, trial.agrees, says,
        _heard(_texts_by(shop, change)),
    )  # fmt: skip


def tune_full(
    shop: Shop, state: State, model: OpenClipModel, plan: FullPlan, tick: Progress
) -> Tuned:
    """Train the image tower on all groups but a fifth, and judge it by these. Raises ModelError."""
    held = _folds(shop, plan.seed)[0]
    out = np.isin(shop.groups, held)
    crops = shop.crops(range(len(shop.gallery)))
    lessons = Lessons(shop.visual[:, None], shop.products, shop.groups)
    run = FullTuning(model, plan, crops, lessons, out, shop.encoder.fill)
    run.train(tick)
    after, same = check_finite(run.embed()), np.eye(shop.visual.shape[1], dtype=np.float32)
    trial = _Trial(shop, check_finite(run.embed(before=True)))
    trial.judge(after, same, shop.texts, held)
    heads, lost = trial.heads(after, same)
    moved = {f"visual.{name}": each for name, each in run.state().items()}
    state = state | {name: each.to(state[name].dtype) for name, each in moved.items()}
    return Tuned(
        trial.verdict(), run.curve, state, heads, lost, trial.agrees, after[:CHECKED],
        _heard(shop.texts),
    )  # fmt: skip


def text_map(change: Rows) -> Rows:
    """Return the map of texts that goes with one of pictures: its inverse, transposed.

    A text's inner product with a picture is then what it was, before both are of unit length.
    """
    return np.linalg.inv(change.astype(np.float64)).T.astype(np.float32)


def _inverse(change: Rows) -> Rows:
    return np.linalg.inv(change.astype(np.float64)).astype(np.float32)


def _texts_by(shop: Shop, change: Rows) -> Texts | None:
    return shop.texts and shop.texts.with_rows(mapped(text_map(change), shop.texts.rows))


def _heard(texts: Texts | None) -> Rows | None:
    return None if texts is None else texts.rows[:CHECKED]


def _lessons(shop: Shop, seed: int, tick: Progress) -> Lessons:
    """Return garments, whole groups of them, with views; these are made once and kept."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(int(shop.groups.max()) + 1)[shop.groups]
    chosen = np.sort(np.argsort(order, kind="stable")[:MOST_GARMENTS])
    key = hashlib.sha256(shop.visual[chosen].tobytes()).hexdigest()[:16]
    kept = shop.encoder.folder.parent / f"views-{seed}-{key}.npy"
    if not kept.is_file():
        _keep_views(shop, chosen, rng, kept, tick)
    return Lessons(np.load(kept), shop.products[chosen], shop.groups[chosen])


def _keep_views(
    shop: Shop, chosen: Numbers, rng: np.random.Generator, kept: Path, tick: Progress
) -> None:
    rows = []
    for some in np.array_split(chosen, max(1, len(chosen) // 32)):
        crops = shop.crops(some)
        views = [augment(crop, shop.encoder.fill, rng) for crop in crops for _ in range(VIEWS)]
        made = check_finite(shop.encoder.embed_only(views)).reshape(len(crops), VIEWS, -1)
        rows.append(np.concatenate([shop.visual[some][:, None], made], axis=1))
        tick(len(some))
    part = kept.with_name(f".{kept.name}")
    np.save(part, np.concatenate(rows))
    part.replace(kept)


def _folds(shop: Shop, seed: int) -> list[Numbers]:
    """Return the groups of each fold; those that are asked for are spread evenly."""
    rng = np.random.default_rng(seed)
    asked = np.unique([shop.gallery.group_of[query.product] for query in shop.queries])
    others = np.setdiff1d(shop.groups, asked)
    ordered = np.concatenate([rng.permutation(asked), rng.permutation(others)])
    return [ordered[i::FOLDS] for i in range(FOLDS)]


class _Trial:
    """Collects what queries of groups held out find, before and after."""

    def __init__(self, shop: Shop, before: Rows | None = None) -> None:
        self._shop = shop
        self._before = shop.visual if before is None else before
        self._was = described_by(shop.gallery, self._before, shop.heads)
        self._found: list[tuple[Measures, Measures, Measures, Numbers]] = []
        self._heard: list[tuple[Measures, Measures, Numbers]] = []
        self._agrees: list[dict[str, float]] = []

    def judge(self, after: Rows, back: Rows, texts: Texts | None, held: Numbers) -> None:
        """Ask for the groups held out, of the shop as it was and of it by other embeddings."""
        shop, out = self._shop, np.isin(self._shop.groups, held)
        heads = transfer_heads(shop.heads, self._before[~out], after[~out], back)
        self._agrees.append(agreement(shop.heads, heads, self._before[out], after[out]))
        is_now = described_by(shop.gallery, after, heads)
        groups = np.array([shop.gallery.group_of[query.product] for query in shop.queries])
        asked = [q for q, group in zip(shop.queries, groups, strict=True) if group in held]
        wider = spread(after) / max(spread(self._before), 1e-6)
        self._found.append(
            (
                measured(self._was, asked),
                measured(self._was, asked, wider),
                measured(is_now, asked),
                groups[np.isin(groups, held)],
            )
        )
        if shop.texts is not None and texts is not None:
            groups = shop.gallery.group_of[texts.products]
            chosen = np.isin(groups, held)
            heard = [
                text_precision(*each, chosen) for each in ((self._was, shop.texts), (is_now, texts))
            ]
            self._heard.append((heard[0], heard[1], groups[chosen]))

    @property
    def agrees(self) -> dict[str, float]:
        """For what share of the garments held out each head said the same as before."""
        names = [head.name for head in self._shop.heads.heads]
        return {name: float(np.mean([each[name] for each in self._agrees])) for name in names}

    def verdict(self) -> Verdict:
        """Return what was gained by all queries that were asked."""
        found = [np.concatenate(each) for each in zip(*self._found, strict=True)]
        before, weighed, after = found[:3]
        groups = found[3].astype(np.int64)
        deciding = MEASURES.index(DECIDING)
        by_weights = gain_of(BY_WEIGHTS, weighed[:, deciding], after[:, deciding], groups)
        text: Gain | None = None
        if self._heard:
            text = gain_of(TEXT, *(np.concatenate(each) for each in zip(*self._heard, strict=True)))
        gains = gains_of(before, after, groups)
        return Verdict(len(groups), len(np.unique(groups)), gains, by_weights, text)

    def heads(self, after: Rows, back: Rows) -> tuple[AttributeHeads, list[str]]:
        """Return the heads fitted on all garments, and the names of those that do not agree."""
        heads = transfer_heads(self._shop.heads, self._before, after, back)
        return agreeing_heads(heads, self.agrees)
