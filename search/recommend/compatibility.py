"""Score how well garments of two slots go together, as learned from street photos.

Colours by a low-rank bilinear form on their histograms, the directions of canonical correlation
(Hotelling, Relations between two sets of variates, 1936); kinds by pointwise mutual information
(Church and Hanks, Word association norms, 1990). Neither depends on the encoder, so it holds for
any. `training/heads/outfits.py` makes the table; its card says how good it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.colour.histogram import HISTOGRAM_VERSION
from indexer.errors import ModelError
from indexer.fused_vector import Layout
from indexer.garments import Slot
from indexer.settings import WEIGHTS

FOLDER = WEIGHTS / "matching"
TABLE = "matching.safetensors"
Floats = NDArray[np.float32]
# Of a colour that is worn often, for each deviation: by likeness alone navy jeans have five navy
# and blue tops of the sample shop first, so also grey and white ones, which go with anything. It
# costs 0.03 of the mean place on training photos (0.342 to 0.372); 0.5 would cost 0.07.
USUAL = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """The learned table of two slots; `maps` (d, r) and `means` (d,) are of each slot's colours.

    `affinity` (c, c') is of the `categories` of each. `fit` are the logistic weights of colours and
    kinds, the intercept, and the limit of the colour score; `usual` (2, 2) are mean and deviation
    of how usual the colours of each slot are.
    """

    means: tuple[Floats, Floats]
    maps: tuple[Floats, Floats]
    affinity: Floats
    categories: tuple[tuple[str, ...], tuple[str, ...]]
    fit: Floats
    usual: Floats

    def turned(self) -> "PairTable":
        """Return the table of the second slot with the first."""
        return PairTable(
            self.means[::-1],
            self.maps[::-1],
            self.affinity.T,
            self.categories[::-1],
            self.fit,
            self.usual[::-1],
        )

    def best_colours(self, colours: Floats) -> Floats:
        """Return the direction (d,) in which colours go best with these (d,)."""
        return np.asarray(self.maps[1] @ self.coordinates(colours[None])[0], np.float32)

    def coordinates(self, colours: Floats) -> Floats:
        """Return where colours (n, d) of the first slot lie: (n, r)."""
        return np.asarray((colours - self.means[0]) @ self.maps[0], np.float32)

    def colour_scores(self, colours: Floats, others: Floats) -> Floats:
        """Return how colours (n, d) of the first slot go with others (m, d): (n, m)."""
        return np.asarray(
            self.coordinates(colours) @ ((others - self.means[1]) @ self.maps[1]).T, np.float32
        )

    def kind_scores(self, categories: Sequence[str], others: Sequence[str]) -> Floats:
        """Return how kinds (n) go with others (m): (n, m); 0 of those never seen."""
        first, second = ({name: i for i, name in enumerate(names)} for names in self.categories)
        known = np.zeros((len(first) + 1, len(second) + 1), np.float32)
        known[:-1, :-1] = self.affinity
        rows = [first.get(name, len(first)) for name in categories]
        columns = [second.get(name, len(second)) for name in others]
        return np.asarray(known[np.ix_(rows, columns)], np.float32)

    def usual_scores(self, others: Floats) -> Floats:
        """Return how usual colours (m, d) of the second slot are: (m,), in deviations."""
        mean, deviation = self.usual[1]
        return np.asarray((others @ self.means[1] - mean) / deviation, np.float32)

    def score(self, colour: Floats, kind: Floats, usual: Floats) -> Floats:
        """Combine the scores into 0..1; 0.5 is a pair as likely as any."""
        logit = self.fit[0] * bounded(colour, self.fit[3]) + self.fit[1] * kind + self.fit[2]
        logit = logit + USUAL * usual
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), np.float32)


def bounded(scores: Floats, limit: np.float32) -> Floats:
    """Return scores bounded softly to -limit..limit.

    Rare colours lie so far out that nothing but the same colour could match them.
    """
    return np.asarray(limit * np.tanh(scores / limit), np.float32)


class Compatibility:
    """The tables of all pairs of slots that are worn together."""

    def __init__(self, tables: Mapping[tuple[Slot, Slot], PairTable]) -> None:
        turned = {(second, first): each.turned() for (first, second), each in tables.items()}
        self._tables = {**turned, **tables}

    @classmethod
    def bundled(cls) -> "Compatibility":
        """Return the tables that come with Lapel."""
        return _bundled()

    def table(self, worn: Slot, beside: Slot) -> PairTable | None:
        """Return the table of two slots, if there is one."""
        return self._tables.get((worn, beside))

    def query(self, layout: Layout, vector: Floats, worn: Slot, beside: Slot) -> Floats:
        """Return the fused vector (dim,) to look for beside one: colours only, of unit length.

        Of two slots of which nothing is learned, the garment's own colours: on held-out people
        likeness of colours finds what is really worn as early as what is learned does.
        """
        query = np.zeros(layout.dim, np.float32)
        at = layout.slices()["colour"]
        table = self.table(worn, beside)
        if table is not None:
            # Half of the query are usual colours, so that these are among the candidates.
            mean = table.means[1] / np.linalg.norm(table.means[1])
            colours = table.best_colours(vector[at])
            query[at] = colours / max(float(np.linalg.norm(colours)), 1e-12) + mean
        else:
            query[at] = vector[at]
        return layout.unit_parts(query)

    def scores(
        self,
        layout: Layout,
        vector: Floats,
        category: str,
        slots: tuple[Slot, Slot],
        others: Floats,
        categories: Sequence[str],
    ) -> Floats:
        """Return how well garments (n, dim) of the second slot go with one: (n,) in 0..1.

        Of two slots of which nothing is learned, by likeness of colours, between 0.25 and 0.75.
        """
        table, at = self.table(*slots), layout.slices()["colour"]
        if table is None:
            return np.asarray(0.25 + 0.5 * np.clip(others[:, at] @ vector[at], 0, 1), np.float32)
        colour = table.colour_scores(vector[None, at], others[:, at])[0]
        kind = table.kind_scores([category], categories)[0]
        return table.score(colour, kind, table.usual_scores(others[:, at]))


@cache
def _bundled() -> Compatibility:
    return read_compatibility(FOLDER)


def read_compatibility(folder: Path) -> Compatibility:
    """Read a folder's tables. Raises ModelError."""
    from safetensors import SafetensorError, safe_open

    tables: dict[tuple[Slot, Slot], PairTable] = {}
    try:
        with safe_open(folder / TABLE, "numpy") as file:
            notes = file.metadata()
            pairs = json.loads(notes["pairs"])
            for (first, second), categories in (
                (each["slots"], each["categories"]) for each in pairs
            ):
                part = {
                    name: file.get_tensor(f"{first}-{second}.{name}").astype(np.float32)
                    for name in ("mean_0", "mean_1", "map_0", "map_1", "affinity", "fit", "usual")
                }
                tables[first, second] = PairTable(
                    (part["mean_0"], part["mean_1"]),
                    (part["map_0"], part["map_1"]),
                    part["affinity"],
                    (tuple(categories[0]), tuple(categories[1])),
                    part["fit"],
                    part["usual"],
                )
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"what goes together cannot be read from {folder}: {error!r}; install Lapel again, or "
            "make it by `python -m training.heads.outfits`"
        ) from error
    if notes.get("histogram") != HISTOGRAM_VERSION:
        raise ModelError(
            f"{folder} was made for colour histograms {notes.get('histogram')!r}, this Lapel makes "
            f"{HISTOGRAM_VERSION!r}; make it anew by `python -m training.heads.outfits`"
        )
    return Compatibility(tables)
