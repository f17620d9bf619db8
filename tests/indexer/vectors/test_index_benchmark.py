"""`lapel tune` measures kinds on a catalogue and keeps the best; a grown catalogue is switched."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.index_tuning import tune
from indexer.errors import CatalogueError
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import to_bytes, unit_rows
from indexer.ingest.importer import Importer
from indexer.maintenance.doctor import examine
from indexer.storage.revision_log import bump_revision
from indexer.storage.tables import GarmentRow, PhotoRow
from indexer.vectors import index_file as vector_files
from indexer.vectors.index import FaissIndex
from indexer.vectors.index_benchmark import Measured, best_of
from indexer.vectors.index_file import read_choice
from indexer.vectors.ivf_index import IvfIndex
from tests.support.small_catalogue import ITEMS, dots, equal_to_sql, fresh, record_of

GARMENTS = 1_500


def clustered(n: int, parts: Sequence[int]) -> np.ndarray:
    """Return n fused vectors around 40 centres, as garments lie around kinds of garments."""
    rng = np.random.default_rng(0)
    around = rng.integers(40, size=n)
    drawn = [unit_rows((rng.normal(size=(40, d))[around] + 0.4 * rng.normal(size=(n, d)))
                       .astype(np.float32)) for d in parts if d]  # fmt: skip
    return np.concatenate(drawn, axis=1)


@pytest.fixture
def grown(small: Catalogue) -> Catalogue:
    """The small catalogue with garments that no photo shows: rows are all that an index needs."""
    row = small.row()
    layout = small.layout
    vectors = clustered(GARMENTS, (layout.visual, layout.colour, layout.attributes))
    with Session(small.engine) as session:
        photo = session.scalars(select(PhotoRow.id).limit(1)).one()
        plain = {"catalogue_id": small.id, "photo_id": photo, "wanted": "", "slot": "top",
                 "category": "shirt", "confidence": 1.0, "is_fallback": False, "palette": [],
                 "box": [0, 0, 1, 1], "attributes": {}, "fingerprint": row.fingerprint}  # fmt: skip
        session.execute(insert(GarmentRow), [{**plain, "vector": to_bytes(v)} for v in vectors])
        bump_revision(session, small.id)
        session.commit()
    return fresh(small)


def vector_file(catalogue: Catalogue) -> Path:
    return catalogue.vector_file(catalogue.row().uid)


def test_the_best_kind_is_kept_and_nothing_is_lost(grown: Catalogue) -> None:
    before = vector_file(grown).read_bytes()
    seen: list[Measured] = []
    names = ("flat8", "ivf8")
    best = tune(grown, 0.95, names, seen.append, dry_run=True)
    assert [each.kind for each in seen] == list(names)
    assert vector_file(grown).read_bytes() == before
    assert read_choice(vector_file(grown)) is None
    best = tune(grown, 0.95, ("ivf8",))
    assert best.recall >= 0.95
    assert [each.name for each in vector_file(grown).parent.glob("*.new")] == []
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert (opened.vectors.kind, opened.vectors.effort) == ("ivf8", best.effort)
    assert equal_to_sql(opened)
    (said,) = [each for each in examine(grown.settings) if each.check == "vectors"]
    assert (said.state, "ivf8" in said.detail, "by tune" in said.detail) == ("ok", True, True)
    opened.delete([ITEMS[0].item_id])
    assert equal_to_sql(fresh(grown))


def test_a_rebuild_and_damage_keep_the_kind(grown: Catalogue) -> None:
    tune(grown, 0.95, ("ivf16",))
    path = vector_file(grown)
    assert fresh(grown).rebuild() == GARMENTS + 41
    assert fresh(grown).vectors.differing(*_first(grown)) == 0
    path.write_bytes(path.read_bytes()[:-100])
    damaged = fresh(grown)
    assert isinstance(damaged.vectors, FaissIndex)  # read from SQL for now
    damaged.delete([ITEMS[1].item_id])  # and the next change brings the kind back
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert opened.vectors.kind == "ivf16"
    assert equal_to_sql(opened)


def _first(catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    with Session(catalogue.engine) as session:
        row = session.scalars(select(GarmentRow).limit(1)).one()
    return np.array([row.id]), np.frombuffer(row.vector, "<f2").astype(np.float32)[None]


def test_a_grown_catalogue_is_switched_and_says_so(
    grown: Catalogue,
    drawn: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(vector_files, "FLAT_MOST", 1_000)
    again = ItemRecord("new", "new", record_of(ITEMS[3]).photos)
    Importer(grown, dots(1), drawn, drawn).run([again])
    assert "kept as ivf8 now" in caplog.text
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert equal_to_sql(opened)
    choice = read_choice(vector_file(grown))
    assert choice is not None
    assert (choice.kind, choice.by) == ("ivf8", "size")
    assert choice.recall >= 0.98


def test_few_garments_are_not_tuned(small: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="tune from 1000 on"):
        tune(small)


def test_unknown_kinds_and_recalls_are_refused(grown: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"unknown kind lsh; there is flat"):
        tune(grown, names=("lsh",))
    home = ["--home", str(grown.settings.home)]
    done = CliRunner().invoke(app, [*home, "tune", "--recall", "98"])
    assert (done.exit_code, "from 0.5 to 1" in done.output) == (2, True)


def test_the_command_prints_a_table(grown: Catalogue) -> None:
    home = ["--home", str(grown.settings.home)]
    done = CliRunner().invoke(app, [*home, "tune", "--recall", "0.9", "--kind", "flat16"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split()[:4] == ["kind", "recall@10", "ms", "MB"]
    assert done.stdout.splitlines()[1].split()[:2] == ["flat16", "1.000"]
    assert isinstance(fresh(grown).vectors, IvfIndex)


def test_of_the_good_the_fastest_and_of_equals_the_smallest_is_best() -> None:
    def kind(name: str, recall: float, ms: float, megabytes: float) -> Measured:
        return Measured(name, 1, recall, ms, megabytes, 1.0)

    measured = [
        kind("flat", 1, 40, 300),
        kind("ivf16", 0.99, 1.0, 150),
        kind("ivf8", 0.98, 1.05, 75),
    ]
    assert best_of(measured, 0.98).kind == "ivf8"
    assert best_of(measured, 0.99).kind == "ivf16"
    assert best_of(measured[1:], 0.999).kind == "ivf16"
