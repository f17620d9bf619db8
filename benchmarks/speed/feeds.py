"""Measure rows per second and peak memory of reading each feed format.

    python -m benchmarks.speed.feeds [--rows 1000000] [--formats google,shopify] [--folder DIR]

Each format is read by a process of its own, so that its peak is its own.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROWS = 1_000_000
VARIANTS = 5  # a product, where a format knows products
_KINDS = ("Red wrap dress", "Slim jeans", "Linen shirt", "Wool coat", "Sommerkleid", "Jupe plissée")
_SIZES = ("XS", "S", "M", "L", "XL")
_TEXT = "A garment of good cloth, cut with care, that keeps its shape for many years. " * 4


def write_feed(name: str, rows: int, folder: Path) -> Path:
    """Write a feed that holds so many items; returns its path."""
    path = folder / f"{name}-{rows}.feed"
    WRITERS[name](path, rows)
    return path


def _photo(product: int, view: str = "") -> str:
    return f"https://x.test/{product}{view}.jpg"


def _variants(rows: int) -> Iterator[tuple[int, int, str, str]]:
    """Yield number, product, title and size of each item."""
    for i in range(rows):
        product = i // VARIANTS
        title = f"{_KINDS[product % len(_KINDS)]} {product}"
        yield i, product, title, _SIZES[i % VARIANTS]


def _write_csv(path: Path, header: str, rows: Iterator[list[object]], mark: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=mark)
        writer.writerow(header.split("|"))
        writer.writerows(rows)


def _google(path: Path, rows: int) -> None:
    header = "id|item_group_id|title|description|image_link|additional_image_link|price|size"
    cells: Iterator[list[object]] = (
        [
            i,
            p,
            title,
            _TEXT,
            _photo(p),
            _photo(p, "b"),
            "9.90 EUR",
            size,
        ]
        for i, p, title, size in _variants(rows)
    )
    _write_csv(path, header, cells, "\t")


def _google_xml(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write('<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>\n')
        for i, p, title, size in _variants(rows):
            file.write(
                f"<item><g:id>{i}</g:id><g:item_group_id>{p}</g:item_group_id>"
                f"<title>{title}</title><description>{_TEXT}</description><g:size>{size}</g:size>"
                f"<g:price>9.90 EUR</g:price><g:image_link>{_photo(p)}</g:image_link></item>\n"
            )
        file.write("</channel></rss>\n")


def _shopify(path: Path, rows: int) -> None:
    header = (
        "Handle|Title|Body (HTML)|Vendor|Type|Option1 Name|Option1 Value|Variant SKU|"
        "Variant Inventory Tracker|Variant Inventory Qty|Variant Price|Image Src"
    )
    _write_csv(
        path,
        header,
        (
            [f"p{p}", title, f"<p>{_TEXT}</p>", "Lapel", "", "Size", size, f"s{i}", "shopify", 3,
             "9.90", _photo(p)]
            if i % VARIANTS == 0
            else [f"p{p}", "", "", "", "", "", size, f"s{i}", "shopify", 3, "9.90", ""]
            for i, p, title, size in _variants(rows)
        ),
    )  # fmt: skip


def _woocommerce(path: Path, rows: int) -> None:
    header = (
        "ID|Type|SKU|Name|Published|Description|In stock?|Regular price|Categories|Images|Parent|"
        "Attribute 1 name|Attribute 1 value(s)"
    )
    _write_csv(
        path,
        header,
        (
            [i, "variable", f"p{p}", title, 1, _TEXT, 1, "", "Clothing", _photo(p), "", "Size",
              ", ".join(_SIZES)]
            if i % VARIANTS == 0
            else [i, "variation", f"s{i}", f"{title} - {size}", 1, "", 1, "9.90", "", "", f"p{p}",
                  "Size", size]
            for i, p, title, size in _variants(rows)
        ),
    )  # fmt: skip


def _magento(path: Path, rows: int) -> None:
    header = (
        "sku|product_type|categories|name|description|price|base_image|additional_attributes|qty|"
        "configurable_variations"
    )
    _write_csv(
        path,
        header,
        (
            [f"s{i}", "configurable", "Default", title, _TEXT, "9.90", f"/p/{p}.jpg",
             "material=Cotton", 0, "|".join(f"sku=s{i - n}" for n in range(1, VARIANTS))]
            if i % VARIANTS == VARIANTS - 1
            else [f"s{i}", "simple", "", f"{title}-{size}", "", "9.90", "", f"size={size}", 5, ""]
            for i, p, title, size in _variants(rows)
        ),
    )  # fmt: skip


def _objects(rows: int) -> Iterator[dict[str, Any]]:
    for i, p, title, size in _variants(rows):
        images = [_photo(p), _photo(p, "b")]
        yield {"id": str(i), "group_id": str(p), "title": title, "description": _TEXT,
               "images": images, "price": "9.90 EUR", "size": size}  # fmt: skip


def _json_lines(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in _objects(rows))


def _json_array(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        file.writelines(("," if i else "") + json.dumps(o) for i, o in enumerate(_objects(rows)))
        file.write("]")


def _plain_csv(path: Path, rows: int) -> None:
    header = "sku|name|image|preis|groesse"
    cells: Iterator[list[object]] = (
        [i, title, _photo(p), "9,90 €", size] for i, p, title, size in _variants(rows)
    )
    _write_csv(path, header, cells, ";")


def _parquet(path: Path, rows: int) -> None:
    import pyarrow
    from pyarrow import parquet

    writer = None
    batch: list[dict[str, Any]] = []
    for each in _objects(rows):
        batch.append(each)
        if len(batch) == 1000 or each["id"] == str(rows - 1):
            table = pyarrow.Table.from_pylist(batch)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
            batch = []
    if writer:
        writer.close()


WRITERS: Mapping[str, Callable[[Path, int], None]] = {
    "google": _google, "google-xml": _google_xml, "shopify": _shopify, "woocommerce": _woocommerce,
    "magento": _magento, "json-lines": _json_lines, "json-array": _json_array, "csv": _plain_csv,
    "parquet": _parquet,
}  # fmt: skip


def _read(feed: Path) -> None:
    """Read a feed and print what it took, as a line of JSON."""
    from indexer.feeds import read_feed
    from indexer.feeds.reading.record import ItemRecord

    before_mb = _peak_mb()
    begin = time.perf_counter()
    read = sum(isinstance(each, ItemRecord) for each in read_feed(feed))
    took_s = time.perf_counter() - begin
    said = {"rows": read, "took_s": took_s, "peak_mb": _peak_mb(), "before_mb": before_mb}
    print(json.dumps(said))


def _peak_mb() -> float:
    """Return the most memory that this process had; `ru_maxrss` counts its parent's at the fork."""
    status = Path("/proc/self/status")
    if not status.exists():  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024


def main() -> None:
    """Write, read and measure each format; prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--formats", default=",".join(WRITERS))
    parser.add_argument("--folder", type=Path, help="where feeds are written [a temporary one]")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        _read(args.read)
        return
    print("| format | rows | file MB | rows/s | peak MB | before |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name in args.formats.split(","):
            feed = write_feed(name, args.rows, Path(folder))
            command = [sys.executable, "-m", "benchmarks.speed.feeds", "--read", str(feed)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
            said = json.loads(done.stdout)
            size_mb = feed.stat().st_size / 1e6
            feed.unlink()
            print(
                f"| {name} | {said['rows']} | {size_mb:.0f} | {said['rows'] / said['took_s']:.0f} "
                f"| {said['peak_mb']:.0f} | {said['before_mb']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
