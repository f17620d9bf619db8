"""Take the pictures of the page that docs/ shows, from a running server.

Run: python -m benchmarks.lessons.pictures PHOTO docs, while `lapel serve` runs with the demo's
shop; needs
Debian's chromium and `pip install playwright`.
"""

import argparse
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

MOST_BYTES = 200_000  # of one picture: the README is read on telephones, too
QUALITIES = range(90, 30, -5)
# Width, height, pixels a pixel: a desk's window, and a telephone's screen at half its fineness.
SCREENS: Mapping[str, tuple[int, int, float]] = {"desk": (1360, 1000, 1), "phone": (390, 844, 1.5)}
PATIENCE_MS = 120_000
CARDS = "#results .card:not(.ghost)"


def take_pictures(url: str, photo: Path, out: Path) -> list[Path]:
    """Visit the page as a shopper and write page.jpg, page-analysis.jpg and page-phone.jpg."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        try:
            return [
                _take(browser, url, photo, out / "page.jpg", "desk", _search),
                _take(browser, url, photo, out / "page-analysis.jpg", "desk", _analyse),
                _take(browser, url, photo, out / "page-phone.jpg", "phone", _search),
            ]
        finally:
            browser.close()


def _take(
    browser: Any, url: str, photo: Path, path: Path, screen: str, look: Callable[[Any], None]
) -> Path:
    width, height, fineness = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=fineness,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(url)
    page.set_input_files("#file", photo)
    page.wait_for_selector(CARDS)
    look(page)
    page.wait_for_load_state("networkidle")
    path.write_bytes(shrink(page.screenshot()))
    context.close()
    return path


def _search(page: Any) -> None:
    page.wait_for_selector("#results[aria-busy=false]", state="attached")


def _analyse(page: Any) -> None:
    page.click("#tab-analysis")
    page.wait_for_selector(".anatomy canvas")


def shrink(png: bytes, most_bytes: int = MOST_BYTES) -> bytes:
    """Return a PNG as the best JPEG of at most so many bytes. Raises ValueError if none is."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in QUALITIES:
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=quality, optimize=True, progressive=True)
        if encoded.tell() <= most_bytes:
            return encoded.getvalue()
    raise ValueError(
        f"a picture of {image.width}x{image.height} pixels fits {most_bytes:,} bytes at no quality "
        f"of {QUALITIES[-1]} or more; take a smaller one"
    )


def main(words: Sequence[str] | None = None) -> None:
    """Take the pictures and say which."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    given = parser.parse_args(words)
    for path in take_pictures(given.url, given.photo, given.out):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
