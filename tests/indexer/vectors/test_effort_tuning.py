"""A large catalogue is kept in lists, and how far a search looks is measured on it."""

import json
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueError
from indexer.feeds.reading.record import ItemRecord
from indexer.fused_vector import to_bytes, unit_rows
from indexer.ingest.importer import Importer
from indexer.maintenance.doctor import examine
from indexer.storage.revision_log import bump_revision
from indexer.storage.tables import GarmentRow, PhotoRow
from indexer.vectors import ivf_build, open_index
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.ivf_index import IvfIndex
from indexer.vectors.open_index import read_tuning
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
def grown(small: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """The small catalogue with garments that no photo shows: rows are all that an index needs."""
    monkeypatch.setattr(open_index, "FLAT_MOST", 1_000)
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


def test_a_rebuild_is_tuned_to_a_recall_and_nothing_is_lost(grown: Catalogue) -> None:
    assert grown.rebuild(0.95) == GARMENTS + 41
    assert [each.name for each in vector_file(grown).parent.glob("*.new")] == []
    tuning = read_tuning(vector_file(grown))
    assert tuning is not None
    assert (tuning.kind, tuning.by, tuning.wanted) == ("ivf8", "tune", 0.95)
    assert tuning.recall >= 0.95
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert (opened.vectors.kind, opened.vectors.effort) == ("ivf8", tuning.effort)
    assert equal_to_sql(opened)
    (check,) = [each for each in examine(grown.settings) if each.check == "vectors"]
    assert (check.state, "ivf8" in check.detail, "by tune" in check.detail) == ("ok", True, True)
    opened.delete([ITEMS[0].item_id])
    assert equal_to_sql(fresh(grown))


def test_a_tuning_measures_the_file_that_is_there(grown: Catalogue) -> None:
    grown.rebuild(0.9)
    file, before = vector_file(grown).read_bytes(), read_tuning(vector_file(grown))
    measured = fresh(grown).tune(1.0, is_kept=False)
    assert measured.recall == 1.0
    assert read_tuning(vector_file(grown)) == before
    kept = fresh(grown).tune(1.0)
    assert read_tuning(vector_file(grown)) == kept
    assert vector_file(grown).read_bytes() == file
    again = fresh(grown).vectors
    assert isinstance(again, IvfIndex)
    assert again.effort == kept.effort


def test_a_rebuild_and_damage_keep_what_was_wanted(grown: Catalogue) -> None:
    grown.rebuild(0.95)
    path = vector_file(grown)
    assert fresh(grown).rebuild() == GARMENTS + 41
    tuning = read_tuning(path)
    assert tuning is not None
    assert (tuning.by, tuning.wanted) == ("tune", 0.95)
    assert fresh(grown).vectors.differing(*_first(grown)) == 0
    path.write_bytes(path.read_bytes()[:-100])
    damaged = fresh(grown)
    assert isinstance(damaged.vectors, FaissIndex)  # read from SQL for now
    damaged.delete([ITEMS[1].item_id])  # and the next change builds the file again
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert equal_to_sql(opened)


def test_a_file_of_a_former_kind_is_read_and_replaced(
    grown: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lapel tune` of 0.1.0 could choose float16 lists: such homes open, no model runs."""
    with monkeypatch.context() as patch:
        patch.setattr(ivf_build, "KIND", "ivf16")
        patch.setattr(ivf_build, "QUANTIZER", faiss.ScalarQuantizer.QT_fp16)
        grown.rebuild()
    old = fresh(grown)
    assert isinstance(old.vectors, IvfIndex)
    assert old.vectors.kind == "ivf16"
    assert equal_to_sql(old)
    assert old.rebuild() == GARMENTS + 41
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert opened.vectors.kind == "ivf8"
    assert equal_to_sql(opened)


def _first(catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray]:
    with Session(catalogue.engine) as session:
        row = session.scalars(select(GarmentRow).limit(1)).one()
    return np.array([row.id]), np.frombuffer(row.vector, "<f2").astype(np.float32)[None]


def test_a_grown_catalogue_is_switched_and_says_so(
    grown: Catalogue, drawn: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again = ItemRecord("new", "new", record_of(ITEMS[3]).photos)
    Importer(grown, dots(1), drawn, drawn).run([again])
    assert "kept as ivf8 now" in caplog.text
    opened = fresh(grown)
    assert isinstance(opened.vectors, IvfIndex)
    assert equal_to_sql(opened)
    tuning = read_tuning(vector_file(grown))
    assert tuning is not None
    assert (tuning.kind, tuning.by) == ("ivf8", "size")
    assert tuning.recall >= 0.98


def test_few_garments_are_scored_exactly(small: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="each scored exactly"):
        small.tune(0.98)
    small.rebuild(0.9)
    assert isinstance(fresh(small).vectors, FaissIndex)


@pytest.mark.parametrize("command", ["tune", "rebuild"])
def test_recalls_out_of_range_and_former_kinds_are_refused(grown: Catalogue, command: str) -> None:
    home = ["--home", str(grown.settings.home)]
    done = CliRunner().invoke(app, [*home, command, "--recall", "98"])
    assert (done.exit_code, "from 0.5 to 1" in done.output) == (2, True)
    done = CliRunner().invoke(app, [*home, "tune", "--kind", "flat16"])
    assert (done.exit_code, "without --kind" in done.output) == (2, True)


def test_the_command_says_what_it_measured(grown: Catalogue) -> None:
    home = ["--home", str(grown.settings.home)]
    grown.rebuild()
    done = CliRunner().invoke(app, [*home, "tune", "--recall", "0.9", "--json"])
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    assert measured["recall"] >= 0.9
    assert (measured["kind"], measured["wanted"]) == ("ivf8", 0.9)
