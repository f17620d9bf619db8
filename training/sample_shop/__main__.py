"""Draw the sample shop and pack the part that comes with Lapel: `python -m training.sample_shop`.

python -m training.sample_shop                 # writes indexer/sample/shop.zip
python -m training.sample_shop --folder shop   # all 310 items, as files, and no archive
"""

import argparse
import hashlib
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import cv2

from indexer.sample.archive import ARCHIVE
from training.sample_shop import SampleItem, accessory_items, draw, sample_items, write_shop

NOTE = """The sample shop of Lapel
Every picture was drawn by the program training/sample_shop of Lapel's repository. The drawings,
the feed and the truth are in the public domain (CC0 1.0): use them for anything.
images/ and feed.tsv: the shop. truth.json: what each picture shows, with masks (COCO RLE).
reference/: pictures on which converted networks are compared with their originals.
"""
REFERENCE_SEED = 7  # as the checks of converted networks have drawn them from the beginning


def shipped_items() -> tuple[SampleItem, ...]:
    """List what comes with Lapel: of clothes two neighbours of every six, 94 of 280; all the rest.

    That is some of each category, and of many designs two colours: 124 items, in about 8 MB.
    """
    clothes = tuple(item for i, item in enumerate(sample_items()) if i % 6 < 2)
    return clothes + accessory_items()


def reference_files() -> dict[str, bytes]:
    """Draw the reference pictures as PNG files: seven items, worn."""
    files = {}
    for number, item in enumerate(sample_items()[::40]):
        bgr = cv2.cvtColor(draw(item, "worn", REFERENCE_SEED).pixels, cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        files[f"reference/{number}.png"] = content.tobytes()
    return files


def archive_files() -> dict[str, bytes]:
    """Draw all that the archive holds: its files by name."""
    items = shipped_items()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shop(folder, items)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    files["items.json"] = json.dumps([asdict(item) for item in items], indent=1).encode()
    files["README.txt"] = NOTE.encode()
    files |= reference_files()
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return files | {"SHA256SUMS": sums.encode()}


def pack(files: dict[str, bytes], path: Path) -> None:
    """Write files as a zip that has the same bytes each time; pictures are stored as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            picture = name.endswith((".jpg", ".png"))
            how = zipfile.ZIP_STORED if picture else zipfile.ZIP_DEFLATED
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name], how, compresslevel=9)


def main() -> None:
    """Draw, and write one archive or a folder of files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ARCHIVE, help="the archive to write")
    parser.add_argument("--folder", type=Path, help="write the whole shop here, and no archive")
    options = parser.parse_args()
    if options.folder:
        print(f"wrote {write_shop(options.folder, sample_items() + accessory_items())}")
    else:
        pack(archive_files(), options.out)
        print(f"wrote {options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
