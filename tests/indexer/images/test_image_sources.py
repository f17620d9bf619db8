"""Pictures by path, file:, web and cloud address: read once, fetched politely, cache bounded."""

import io
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.errors import LapelError, PhotoMissing, PhotoTooManyBytes
from indexer.images.image_sources import ImageSources, PhotoChanged
from indexer.images.photo import hash_bytes
from indexer.images.safe_fetch import Fetcher, FetchFailed, FetchRefused
from indexer.images.web_source import GIVE_UP_AFTER, TRIES, WebSource
from indexer.settings import Settings
from tests.support.picture_server import PictureServer, picture_server


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with picture_server() as opened:
        opened.pictures = {f"/{i}.png": picture(i) for i in range(20)}
        yield opened


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def opened(home: Path, waits: list[float] | None = None, most_bytes: int = 10**9) -> ImageSources:
    """Return pictures that trust this machine, and note how long they would wait."""
    settings = Settings(
        home=home, private_picture_hosts="127.0.0.1", picture_cache_bytes=most_bytes
    )
    fetcher = Fetcher(whole_s=2, inside=settings.private_hosts)
    sleep = (lambda s: None) if waits is None else waits.append
    return ImageSources(settings, home, None, WebSource(fetcher, 3, sleep=sleep))


def test_a_second_run_downloads_nothing_that_did_not_change(
    server: PictureServer, tmp_path: Path
) -> None:
    urls = [server.address + path for path in server.pictures]
    for run in range(3):
        with opened(tmp_path) as pictures:
            pictures.fetch_ahead(urls)
            hashes = [pictures.hash_of(url)[0] for url in urls]
            again = [pictures.hash_of(url)[0] for url in urls]
            assert hashes == again == [hash_bytes(c) for c in server.pictures.values()]
            assert pictures.read(urls[0], hashes[0]) == server.pictures["/0.png"]
        assert len(server.asked) == 20 * (run + 1)  # once a run
        assert len(server.sent) == 20
    server.pictures["/3.png"] = picture(99)
    with opened(tmp_path) as pictures:
        assert pictures.hash_of(urls[3])[0] == hash_bytes(picture(99))
    assert server.sent[20:] == ["/3.png"]


def test_at_most_so_many_requests_to_one_host_at_once(
    server: PictureServer, tmp_path: Path
) -> None:
    server.behaviour = dict.fromkeys(server.pictures, "slow")
    with opened(tmp_path) as pictures:
        urls = [server.address + path for path in server.pictures]
        pictures.fetch_ahead(urls)
        assert len({pictures.hash_of(url)[0] for url in urls}) == 20
    assert 2 <= server.most_at_once <= 3


def test_a_busy_server_is_asked_again_when_it_says(server: PictureServer, tmp_path: Path) -> None:
    server.behaviour["/1.png"] = "busy 2"
    waits: list[float] = []
    with opened(tmp_path, waits) as pictures:
        assert pictures.hash_of(f"{server.address}/1.png")[0] == hash_bytes(picture(1))
    assert waits == [3.0, 3.0]


def test_waits_grow_and_vary_and_end(server: PictureServer, tmp_path: Path) -> None:
    server.behaviour["/1.png"] = "down"
    waits: list[float] = []
    with opened(tmp_path, waits) as pictures, pytest.raises(FetchFailed, match="503"):
        pictures.hash_of(f"{server.address}/1.png")
    assert len(waits) == TRIES - 1
    assert all(0.25 * 2**i <= wait <= 0.5 * 2**i for i, wait in enumerate(waits))


def test_a_host_that_is_down_is_left_alone(server: PictureServer, tmp_path: Path) -> None:
    server.behaviour = dict.fromkeys(server.pictures, "down")
    with opened(tmp_path) as pictures:
        for path in server.pictures:
            with pytest.raises(FetchFailed):
                pictures.hash_of(server.address + path)
    assert len(server.asked) == GIVE_UP_AFTER * TRIES


def test_what_was_there_counts_while_a_host_is_down(server: PictureServer, tmp_path: Path) -> None:
    url = f"{server.address}/1.png"
    with opened(tmp_path) as pictures:
        assert pictures.hash_of(url) == (hash_bytes(picture(1)), None)
    server.behaviour["/1.png"] = "down"
    with opened(tmp_path) as pictures:
        sha256, why = pictures.hash_of(url)
        assert sha256 == hash_bytes(picture(1))
        assert isinstance(why, FetchFailed)
        assert pictures.read(url, sha256) == picture(1)
    del server.pictures["/1.png"], server.behaviour["/1.png"]
    with opened(tmp_path) as pictures, pytest.raises(PhotoMissing, match="404"):
        pictures.hash_of(url)  # it says itself that there is none any more


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("stalls", FetchFailed),
        ("huge", PhotoTooManyBytes),
        ("to http://127.0.0.2/x.png", FetchRefused),
        ("to file:///etc/passwd", FetchRefused),
    ],
)
def test_what_else_servers_do(
    server: PictureServer, tmp_path: Path, how: str, error: type[LapelError]
) -> None:
    server.behaviour["/1.png"] = how
    settings = Settings(home=tmp_path)
    fetcher = Fetcher(whole_s=0.3, inside=["127.0.0.1"])
    web = WebSource(fetcher, tries=1)
    with ImageSources(settings, tmp_path, None, web) as pictures, pytest.raises(error):
        pictures.hash_of(f"{server.address}/1.png")


def test_a_redirect_is_followed(server: PictureServer, tmp_path: Path) -> None:
    server.behaviour["/old.png"] = "to /2.png"
    with opened(tmp_path) as pictures:
        assert pictures.hash_of(f"{server.address}/old.png")[0] == hash_bytes(picture(2))


def test_hosts_inside_are_asked_only_where_a_setting_names_them(
    server: PictureServer, tmp_path: Path
) -> None:
    with ImageSources(Settings(home=tmp_path), tmp_path) as pictures, pytest.raises(FetchRefused):
        pictures.hash_of(f"{server.address}/1.png")
    named = Settings(home=tmp_path, private_picture_hosts=" 127.0.0.1 , media.lan")
    assert named.private_hosts == {"127.0.0.1", "media.lan"}
    with ImageSources(named, tmp_path) as pictures:
        assert pictures.hash_of(f"{server.address}/1.png")[0] == hash_bytes(picture(1))
    metadata = Settings(home=tmp_path, private_picture_hosts="169.254.169.254")
    with ImageSources(metadata, tmp_path) as pictures, pytest.raises(FetchRefused):
        pictures.hash_of("http://169.254.169.254/latest/meta-data")
    assert not server.behaviour
    assert server.asked == ["/1.png"]


def test_kept_contents_stay_within_their_bound_and_come_back(
    server: PictureServer, tmp_path: Path
) -> None:
    size = len(picture(0))
    with opened(tmp_path, most_bytes=size * 5) as pictures:
        for path, content in server.pictures.items():
            pictures.hash_of(server.address + path)
            pictures.trim()
            assert len(content) <= size * 1.1
        kept = [p for p in (tmp_path / "pictures").rglob("*") if len(p.name) == 64]
        assert 3 <= len(kept) <= 6
        first = pictures.read(f"{server.address}/0.png", hash_bytes(picture(0)))
        assert first == picture(0)
    assert server.asked.count("/0.png") == 2
    with opened(tmp_path) as pictures:  # what is known of it is known still: 304
        pictures.hash_of(f"{server.address}/0.png")
    assert server.sent.count("/0.png") == 2


def test_files_are_known_by_their_times(tmp_path: Path) -> None:
    path = tmp_path / "a b.png"
    path.write_bytes(picture(1))
    old = path.stat().st_mtime - 100
    with opened(tmp_path / "home") as pictures:
        # Written a moment ago: it might be written again within the clock's step.
        assert pictures.hash_of(str(path))[0] == hash_bytes(picture(1))
        assert pictures.cache.find(str(path)) is None
        pictures.cache.remember(str(path), "0:0:0:0", "f" * 64)
        os.utime(path, (old, old))
        assert pictures.hash_of(pictures.resolve(f"file://{path.parent}/a%20b.png"))[0] == (
            hash_bytes(picture(1))
        )
        path.write_bytes(picture(2))
        os.utime(path, (old, old))  # the same size and date, another content: ctime tells
        sha256, _ = pictures.hash_of(str(path))
        assert sha256 == hash_bytes(picture(2))
        path.write_bytes(picture(3))
        with pytest.raises(PhotoChanged):
            pictures.read(str(path), sha256)


def test_paths_do_not_leave_the_images_folder(tmp_path: Path) -> None:
    images = tmp_path / "images"
    with ImageSources(Settings(home=tmp_path), tmp_path, images) as pictures:
        assert pictures.resolve("/a/b.jpg") == str(images / "a" / "b.jpg")
        assert pictures.resolve(f"file://{images}/b.jpg") == str(images / "b.jpg")
        for bad in ("../b.jpg", "a/../../b.jpg", "file:///etc/passwd", f"file://{images}/../b.jpg"):
            with pytest.raises(PhotoMissing):
                pictures.resolve(bad)
        for bad in ("file://other/b.jpg", "file:b.jpg", "file://[/b.jpg"):
            with pytest.raises(PhotoMissing):
                pictures.resolve(bad)


def test_cloud_stores(tmp_path: Path) -> None:
    import fsspec  # type: ignore[import-untyped]

    store = fsspec.filesystem("memory")
    store.pipe("/shop/a.png", picture(1))
    with opened(tmp_path) as pictures:
        pictures.fetch_ahead(["memory://shop/a.png"])
        assert pictures.hash_of("memory://shop/a.png") == (hash_bytes(picture(1)), None)
    store.store["/shop/a.png"].write(b"")  # read before, and the same still
    with opened(tmp_path) as pictures:
        found = pictures.cache.find("memory://shop/a.png")
        assert found is not None
        assert found.stamp
        assert pictures.hash_of("memory://shop/a.png")[0] == hash_bytes(picture(1))
    store.pipe("/shop/a.png", picture(2))
    with opened(tmp_path) as pictures:
        assert pictures.hash_of("memory://shop/a.png")[0] == hash_bytes(picture(2))
        with pytest.raises(PhotoMissing, match="check the address"):
            pictures.hash_of("memory://shop/b.png")


@pytest.mark.parametrize(
    "address",
    ["github://o:r@main/a.png", "zip://a.png::file:///b.zip", "local:///etc/passwd",
     "s3://b/a.png::file:///etc/passwd", "ftp://host/a.png", "data://x"],
)  # fmt: skip
def test_other_schemes_are_refused(tmp_path: Path, address: str) -> None:
    with opened(tmp_path) as pictures, pytest.raises(PhotoMissing, match="are read from"):
        pictures.hash_of(pictures.resolve(address))


def test_a_store_whose_client_is_not_installed_names_the_extra(tmp_path: Path) -> None:
    if find_spec("s3fs"):
        pytest.skip("s3fs is installed here")
    with opened(tmp_path) as pictures, pytest.raises(PhotoMissing, match=r"lapel\[s3\]"):
        pictures.hash_of("s3://bucket/a.png")


def test_a_damaged_memory_of_pictures_is_made_anew(server: PictureServer, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "known.sqlite").write_bytes(b"no database at all" * 100)
    with opened(tmp_path) as pictures:
        assert pictures.hash_of(f"{server.address}/1.png")[0] == hash_bytes(picture(1))
