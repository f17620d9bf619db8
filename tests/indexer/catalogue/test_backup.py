"""A copy kept while all goes on, and put back: checked first, whole or not at all."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import BackupUnusable, CatalogueEmpty, CatalogueError, CatalogueLocked
from indexer.ingest.importer import Importer
from indexer.maintenance import restore as restoring
from indexer.maintenance.backup import write_backup
from indexer.maintenance.doctor import examine
from indexer.maintenance.restore import restore
from indexer.settings import Settings
from indexer.storage.tables import ItemPhotoRow
from indexer.storage.thumbnails import thumbnail_path
from tests.support.small_catalogue import (
    ITEMS,
    LATE,
    described_as,
    dots,
    equal_to_sql,
    fresh,
    record_of,
)


@pytest.fixture
def archive(small: Catalogue, tmp_path: Path) -> Path:
    """Written while another process is within a write."""
    upload = small.settings.home / "uploads" / "ab" / f"ab{'0' * 62}"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"sent in")
    with Session(small.engine) as session:
        session.get_one(ItemPhotoRow, (1, 1)).address = str(upload)
        session.commit()
        session.execute(text("DELETE FROM item"))
        report = write_backup(small.settings, tmp_path / "kept.tar")
        session.rollback()
    assert report.items == len(ITEMS) + 1
    assert report.files == 1 + 40 + 1  # the database, a thumbnail a photo, what was sent in
    return tmp_path / "kept.tar"


def test_a_backup_is_put_back_into_another_home(
    small: Catalogue, archive: Path, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "moved")
    report = restore(settings, archive)
    assert (report.items, report.files, report.set_aside) == (len(ITEMS) + 1, 41, None)
    moved = Catalogue.open(settings)
    assert described_as(moved) == described_as(small)
    assert equal_to_sql(moved)
    assert not [each for each in examine(settings) if each.state == "wrong"]
    with Session(moved.engine) as session:
        sent = Path(session.get_one(ItemPhotoRow, (1, 1)).address)
    assert sent.is_relative_to(settings.home)
    assert sent.read_bytes() == b"sent in"


def test_who_has_the_catalogue_open_sees_what_was_put_back(
    small: Catalogue, archive: Path, drawn: Path
) -> None:
    before = described_as(small)
    reader = fresh(small)
    assert equal_to_sql(reader)
    small.delete([item.item_id for item in ITEMS[:5]])
    Importer(small, dots(1), drawn, drawn).run([record_of(LATE)])  # given ids that come again
    newest = max(reader.vectors.ids())
    gone = next((small.settings.home / "thumbnails").glob("??/*.jpg"))
    gone.unlink()
    with pytest.raises(CatalogueError, match=r"17 items already.*--force"):
        restore(small.settings, archive)
    assert described_as(reader) == described_as(fresh(small)) != before
    restore(small.settings, archive, force=True)
    assert described_as(reader) == before
    assert equal_to_sql(reader)
    assert newest not in reader.vectors.ids()
    assert gone.is_file()
    Importer(fresh(small), dots(1), drawn, drawn).run([record_of(LATE)])
    assert equal_to_sql(reader)  # the same ids, other garments
    said = {each.check: each for each in examine(small.settings)}
    assert said["vectors"].state == "ok"
    assert len(list((small.settings.home / "vectors").glob("*.faiss"))) == 1


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]


def write(archive: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(archive, "w") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def change_a_file(content: dict[str, bytes]) -> None:
    name = next(name for name in content if name.startswith("thumbnails"))
    content[name] = content[name][:-1] + b"?"


def change_the_format(content: dict[str, bytes]) -> None:
    content["manifest.json"] = json.dumps(
        json.loads(content["manifest.json"]) | {"format": 99}
    ).encode()


DAMAGES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "changed": (change_a_file, "damaged: thumbnails"),
    "one missing": (lambda c: c.pop(next(iter(sorted(c)))), "no manifest|damaged|no lapel"),
    "no manifest": (lambda c: c.pop("manifest.json"), "cut off"),
    "a newer one": (change_the_format, "format 99"),
    "out of the home": (lambda c: c.update({"../evil": b"x"}), "does not write"),
    "a file too many": (lambda c: c.update({f"uploads/aa/{'a' * 64}": b"x"}), "damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_changes_nothing(
    small: Catalogue, archive: Path, damage: str, tmp_path: Path
) -> None:
    change, said = DAMAGES[damage]
    content = members(archive)
    change(content)
    write(archive, content)
    before = described_as(small)
    with pytest.raises(BackupUnusable, match=said):
        restore(small.settings, archive, force=True)
    assert described_as(fresh(small)) == before
    assert not (tmp_path / "evil").exists()
    assert not list(small.settings.home.glob(".restore-*"))


@pytest.mark.parametrize("left", [0, 100, 100_000])
def test_a_cut_archive_changes_nothing(small: Catalogue, archive: Path, left: int) -> None:
    archive.write_bytes(archive.read_bytes()[:left])
    with pytest.raises(BackupUnusable):
        restore(small.settings, archive, force=True)
    assert fresh(small).stats()["items"] == len(ITEMS) + 1


def test_a_restore_that_is_stopped_leaves_the_old_home(
    small: Catalogue, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    small.delete([ITEMS[0].item_id])
    before = described_as(small)
    monkeypatch.setattr(restoring, "copy_database", stop)
    with pytest.raises(KeyboardInterrupt):
        restore(small.settings, archive, force=True)
    assert described_as(fresh(small)) == before
    assert equal_to_sql(fresh(small))


def test_a_writer_is_waited_for(
    small: Catalogue, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "LOCK_WAIT_S", 0.1)
    with small.writing(), pytest.raises(CatalogueLocked, match="process"):
        restore(small.settings, archive, force=True)


def test_a_database_beyond_reading_is_set_aside(small: Catalogue, archive: Path) -> None:
    before = described_as(small)
    small.engine.dispose()
    database = small.settings.home / "lapel.sqlite"
    database.write_bytes(b"\xff" * 10_000)
    with pytest.raises(CatalogueError, match="cannot be read"):
        restore(small.settings, archive)
    report = restore(small.settings, archive, force=True)
    assert report.set_aside is not None
    assert report.set_aside.read_bytes() == b"\xff" * 10_000
    assert described_as(fresh(small)) == before


def test_what_cannot_be_kept_is_said(small: Catalogue, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="--force"):
        write_backup(small.settings, archive)
    assert write_backup(small.settings, archive, force=True).items == len(ITEMS) + 1
    with pytest.raises(CatalogueEmpty):
        write_backup(Settings(home=tmp_path / "none"), tmp_path / "b.tar")
    elsewhere = Settings(home=tmp_path, database_url="postgresql+psycopg://db/lapel")
    with pytest.raises(CatalogueError, match="pg_dump"):
        write_backup(elsewhere, tmp_path / "b.tar")
    with pytest.raises(CatalogueError, match="pg_restore"):
        restore(elsewhere, archive)
    assert sorted(p.name for p in tmp_path.glob("*.tar")) == [archive.name]
    assert thumbnail_path(small.settings.home, "ab").parent.parent.is_dir()
