"""Say how surely each hit is the same product, by the catalogue's own calibration.

Logistic curves (Platt, Probabilistic outputs for support vector machines, 1999, with his smoothed
targets) of a hit's score and its lead over the next group's, for the best hit and for those after
it: of equal scores the best is far more often right, and of two close ones either may be. By
category, by slot where a category has too few queries, else by all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import normalise_weights
from indexer.storage.tables import CatalogueRow
from search.ranking.rank import Hit

SAME = "same product"
SIMILAR = "similar"
NO_MATCH = "no good match"


@dataclass(frozen=True, slots=True)
class Curve:
    """Confidence by score and lead: never falls with either."""

    slope: float
    lead: float
    intercept: float

    def at(self, score: float, lead: float) -> float:
        """Return the confidence, 0..1, of a score, 0..1, and of its lead (below 0: its lag)."""
        value = self.slope * score + self.lead * bent(lead) + self.intercept
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def bent(lead: float) -> float:
    """Return a lead's square root, with its sign.

    The first hundredth says most: on the Luma set and the sample shop, errors of calibration were
    0.036 and 0.027 with the root, 0.050 and 0.019 with the lead as it is.
    """
    return math.copysign(math.sqrt(abs(lead)), lead)


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one kind of garment; 19 of 20 right products score at least `floor`.

    `usual` is the median lead of a best hit: it stands in where no other group was found.
    """

    best: Curve
    later: Curve
    floor: float
    usual: float

    def match(self, score: float, confidence: float, sure: float) -> str:
        """Return the verdict on a hit: from confidence `sure` on it is the same product."""
        if confidence >= sure:
            return SAME
        return SIMILAR if score >= self.floor else NO_MATCH


@dataclass(frozen=True, slots=True)
class Calibration:
    """Curves by kind (`all`, `slot top`, `category shirt`), for these models and weights only."""

    fingerprint: str
    weights: Mapping[str, float]
    street: bool
    """Whether it was fitted to degraded photos, not to the shop's own as they are."""
    queries: int
    sure: float
    """From this confidence on 4 of 5 best hits were right, when half of the products asked for
    were removed as if not sold; above 1 where no confidence reaches that."""
    curves: Mapping[str, Curves]

    def fits(self, weights: Mapping[str, float]) -> bool:
        """Tell whether the calibration holds for scores made with these weights."""
        asked, fitted = normalise_weights(weights), normalise_weights(self.weights)
        return all(math.isclose(asked[part], fitted[part], abs_tol=1e-6) for part in fitted)

    def judge(
        self, hits: Sequence[Hit], firsts: Sequence[Hit], slot: str, category: str
    ) -> list[Hit]:
        """Return a photo's hits, best first, with `confidence` and `match`.

        `firsts` are the best hits of the best two groups, or of the only one.
        """
        if not firsts:
            return list(hits)
        curves = curves_of(self.curves, slot, category)
        top = firsts[0]
        judged: list[Hit] = []
        ceiling = 1.0
        for hit in hits:
            # Ungrouped hits list variants of the best hit; they are as sure as it is.
            is_best = _group(hit) == _group(top)
            rival = firsts[1].score if is_best and len(firsts) > 1 else None
            lead = curves.usual if rival is None else hit.score - rival
            if not is_best:
                lead = hit.score - top.score
            # A later hit is never surer.
            ceiling = min(ceiling, (curves.best if is_best else curves.later).at(hit.score, lead))
            match = curves.match(hit.score, ceiling, self.sure)
            judged.append(replace(hit, confidence=round(ceiling, 4), match=match))
        return judged

    def as_json(self) -> dict[str, Any]:
        """Return the calibration as it is stored."""
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Calibration":
        """Read a stored calibration."""
        curves = {
            name: Curves(
                Curve(**each["best"]), Curve(**each["later"]), each["floor"], each["usual"]
            )
            for name, each in stored["curves"].items()
        }
        return cls(**{**stored, "curves": curves})


def curves_of(curves: Mapping[str, Curves], slot: str, category: str) -> Curves:
    """Return the curves of the narrowest kind that has some."""
    names = (f"category {category}", f"slot {slot}", "all")
    return next(curves[name] for name in names if name in curves)


def no_good_match(hits: Sequence[Hit], garment: str) -> str | None:
    """Return the warning for a garment whose best hit is no good match, if it is none."""
    if not hits or hits[0].match != NO_MATCH:
        return None
    return (
        f"{garment}: no good match; the best hit scores {hits[0].score:.2f}, less than 19 of 20 "
        "of the shop's own products did when they were looked for"
    )


def _group(hit: Hit) -> str:
    return hit.item.duplicate_of or hit.item.group_id


def read_calibration(catalogue: Catalogue) -> Calibration | None:
    """Return the catalogue's calibration; None without one, or with one of other models."""
    row = catalogue.row()
    if row.calibration is None or row.calibration["fingerprint"] != row.fingerprint:
        return None
    return Calibration.of_json(row.calibration)


def store_calibration(catalogue: Catalogue, calibration: Calibration) -> None:
    """Store a calibration with its catalogue. Raises CatalogueLocked, CatalogueReadOnly."""
    with catalogue.writing(), Session(catalogue.engine) as session:
        session.get_one(CatalogueRow, catalogue.id).calibration = calibration.as_json()
        session.commit()
