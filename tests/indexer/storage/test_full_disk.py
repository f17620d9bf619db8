"""A full disk, a limit on files, a read-only home: said clearly, and what was stored is whole."""

import gc
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import CatalogueReadOnly, DiskFull
from indexer.ingest.importer import Importer
from indexer.maintenance.doctor import examine
from indexer.settings import Settings
from search.query.options import Options
from search.searcher import Searcher
from tests.support.small_catalogue import ITEMS, dots, equal_to_sql, fresh, record_of

DISK_BYTES = 3_000_000  # the small catalogue takes about a third of it


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A small disk of its own. Skips where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "lapel-test", str(folder)]
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs root, to mount a small disk")
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: a test that failed may still have a file open on it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def on_disk(small: Catalogue, tmp_path: Path) -> Iterator[Catalogue]:
    """The small catalogue on a small disk."""
    small.engine.dispose()
    with mounted(tmp_path / "disk") as folder:
        home = shutil.copytree(small.settings.home, folder / "home")
        catalogue = Catalogue.open(Settings(home=home))
        yield catalogue
        catalogue.engine.dispose()


def answers(catalogue: Catalogue) -> bool:
    """Search as a restarted process would."""
    searcher = Searcher(fresh(catalogue), dots(1))
    vectors = catalogue.vectors
    hits = searcher.search_vector(vectors.get(vectors.ids()[:1])[0], None, Options(k=5))
    return len(hits) == 5


def fill(folder: Path, leave: int) -> Path:
    """Fill the disk but for so many bytes."""
    filler = folder / "filler"
    free = shutil.disk_usage(folder).free
    filler.write_bytes(bytes(max(0, free - leave)))
    return filler


def change_until_full(catalogue: Catalogue, drawn: Path) -> None:
    for price in range(1000):  # SQLite's log grows to 4 MB before it is written back
        records = [record_of(item, price) for item in ITEMS]
        Importer(catalogue, dots(1), drawn, drawn).run(records)


@pytest.mark.parametrize("leave", [0, 40_000, 300_000])
def test_a_full_disk_is_said_and_nothing_stored_is_lost(
    on_disk: Catalogue, drawn: Path, leave: int
) -> None:
    disk = on_disk.settings.home.parent
    before = on_disk.stats()
    filler = fill(disk, leave)
    with pytest.raises(DiskFull, match=r"no room to write .*home"):
        change_until_full(on_disk, drawn)
    on_disk.engine.dispose()
    after = fresh(on_disk).stats()
    assert {k: after[k] for k in ("items", "photos", "garments")} == {
        k: before[k] for k in ("items", "photos", "garments")
    }
    assert equal_to_sql(fresh(on_disk))
    assert answers(on_disk)
    filler.unlink()
    assert fresh(on_disk).delete([ITEMS[0].item_id]) == 1  # with room again, it goes on
    assert not [each for each in examine(on_disk.settings) if each.state == "wrong"]


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_limit_on_files_is_said(small: Catalogue, share: float) -> None:
    """As `ulimit -f`: which also those may set who cannot mount a disk."""
    size = small.vector_file(small.row().uid).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share), hard))
    try:
        with pytest.raises(DiskFull, match="ulimit -f"):
            small.rebuild()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert equal_to_sql(fresh(small))
    assert answers(small)
    assert not [each for each in examine(small.settings) if each.state == "wrong"]


def check_read_only(expected: dict[str, Any], home: Path, drawn: Path) -> None:
    opened = Catalogue.open(Settings(home=home))
    assert opened.stats() == expected
    assert answers(opened)
    said = f"{home}.* may not be written.*--home"
    with pytest.raises(CatalogueReadOnly, match=said):
        opened.delete([ITEMS[0].item_id])
    with pytest.raises(CatalogueReadOnly, match=said):
        Importer(opened, dots(1), drawn, drawn).run([record_of(ITEMS[0])])
    with pytest.raises(CatalogueReadOnly, match="may not be written"):
        Catalogue.open(Settings(home=home, catalogue="other"), create=True)
    states = {each.check: each.state for each in examine(Settings(home=home))}
    assert "wrong" not in states.values()
    assert states["disk"] in ("warning", "ok")
    opened.engine.dispose()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_read_only_disk_still_answers(on_disk: Catalogue, drawn: Path, is_killed: bool) -> None:
    """Closed well, or with its last commits in SQLite's log."""
    home = on_disk.settings.home
    on_disk.delete([ITEMS[1].item_id])
    expected = on_disk.stats()
    left = home.with_name("killed")
    shutil.copytree(home, left)  # while it is open: what a killed process leaves
    on_disk.engine.dispose()
    assert (left / "lapel.sqlite-wal").stat().st_size
    assert not (home / "lapel.sqlite-wal").exists()
    gc.collect()  # a file still open for writing forbids what follows
    subprocess.run(["mount", "-o", "remount,ro", str(home.parent)], check=True)
    check_read_only(expected, left if is_killed else home, drawn)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_still_answers(small: Catalogue, drawn: Path) -> None:
    home, expected = small.settings.home, small.stats()
    small.engine.dispose()
    for path in [home, *home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        check_read_only(expected, home, drawn)
    finally:
        for path in [home, *home.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
