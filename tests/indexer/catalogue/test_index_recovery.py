"""Damaged files, rows and databases: each is noticed, said, and mended from what is whole."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import faiss
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.maintenance.check_result import CheckResult
from indexer.maintenance.doctor import examine
from indexer.storage.tables import GarmentRow
from indexer.system.sealed_files import CorruptFile, verify_checksum, write_checksummed
from tests.support.small_catalogue import equal_to_sql, fresh


def vector_file(catalogue: Catalogue) -> Path:
    return catalogue.vector_file(catalogue.row().uid)


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at if at >= 0 else path.stat().st_size + at)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0b100]))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "flipped in a vector": lambda path: flip(path, path.stat().st_size // 2),
    "flipped in the header": lambda path: flip(path, 2),
    "flipped in the seal": lambda path: flip(path, -50),
    "flipped in the last letter": lambda path: flip(path, -1),
    "of another program": lambda path: path.write_bytes(b"PK\x03\x04" * 1000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_vector_file_is_said_and_read_from_sql(
    small: Catalogue, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGES[damage](vector_file(small))
    opened = fresh(small)
    with caplog.at_level(logging.WARNING):
        assert equal_to_sql(opened)
    assert "is not used" in caplog.text
    assert vector_file(small).name in caplog.text
    (said,) = [each for each in examine(small.settings) if each.check == "vectors"]
    assert (said.state, "--repair" in said.todo) == ("wrong", True)
    (said,) = [each for each in examine(small.settings, repair=True) if each.check == "vectors"]
    assert said.state == "mended"
    caplog.clear()
    assert equal_to_sql(fresh(small))
    assert caplog.text == ""


def test_a_vector_file_of_an_older_version_is_read_from_sql(
    small: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    path = vector_file(small)
    faiss.write_index(faiss.read_index(str(path)), str(path))  # as version 0.1 wrote it
    assert equal_to_sql(fresh(small))
    assert "no seal" in caplog.text


def test_a_seal_tells_every_changed_bit(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    write_checksummed(path, {"a": 1}, lambda send: send(b"content" * 9))
    assert verify_checksum(path) == {"a": 1}
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(CorruptFile):
            verify_checksum(path)
        path.write_bytes(whole[:at])
        with pytest.raises(CorruptFile):
            verify_checksum(path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    write_checksummed(path, {}, lambda send: send(b"old"))

    def fail(send: Callable[[bytes], object]) -> None:
        send(b"new")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_checksummed(path, {}, fail)
    assert verify_checksum(path) == {}
    assert path.read_bytes().startswith(b"old")
    assert [each.name for each in tmp_path.iterdir()] == ["sealed"]


def test_the_doctor_finds_loose_rows_and_stray_files(small: Catalogue) -> None:
    home = small.settings.home
    stray = home / "vectors" / f"default-{'0' * 32}.faiss"
    half = home / "thumbnails" / "00" / ".half"
    for path in (stray, half):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    thumbnail = next((home / "thumbnails").glob("??/*.jpg"))
    thumbnail.write_bytes(thumbnail.read_bytes()[:-100])
    with small.engine.begin() as connection:
        connection.execute(text("DELETE FROM item_garment WHERE item_id = 1"))
        connection.execute(text("DELETE FROM item_photo WHERE item_id = 1"))
    found = {(each.check, each.state) for each in examine(small.settings)}
    assert {("rows", "wrong"), ("thumbnails", "warning"), ("left over", "warning")} <= found
    states = {(each.check, each.state) for each in examine(small.settings, repair=True)}
    assert {("rows", "mended"), ("thumbnails", "mended"), ("left over", "mended")} <= states
    left = [each for each in examine(small.settings) if each.state != "ok"]
    assert [each.check for each in left] == ["rows"]  # an item that lost its garments: index again
    assert not stray.exists()
    assert not half.exists()
    assert equal_to_sql(fresh(small))


def test_the_doctor_finds_vectors_that_differ(small: Catalogue) -> None:
    with Session(small.engine) as session:
        row = session.scalars(select(GarmentRow).limit(1)).one()
        row.vector = bytes(len(row.vector))
        session.commit()
    said = {each.check: each for each in examine(small.settings)}
    assert (said["vectors"].state, said["vectors"].detail) == ("wrong", "1 differ from SQL's")


def test_the_doctor_finds_rows_that_are_no_vectors(small: Catalogue) -> None:
    with small.engine.begin() as connection:
        connection.execute(text("UPDATE garment SET vector = x'00' WHERE id = 3"))
    small.vector_file(small.row().uid).unlink()
    said = {each.check: each for each in examine(small.settings)}
    assert said["vectors"].state == "wrong"
    assert "restore" in said["vectors"].todo


def test_the_doctor_reads_a_damaged_database(small: Catalogue) -> None:
    small.engine.dispose()
    path = small.settings.home / "lapel.sqlite"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * (size - 4096 * 5))
    found = list(examine(small.settings))
    assert "wrong" in {each.state for each in found}
    assert any("restore" in each.todo for each in found if each.state == "wrong")
    assert all(isinstance(each, CheckResult) and json.dumps(each.shown()) for each in found)
