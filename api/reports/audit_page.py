"""Write an audit's findings as a CSV table and as one self-contained HTML page."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from api.reports.html import stored_thumbnail, write_html
from indexer.audit.rules import Finding
from indexer.system.atomic_files import write_whole
from indexer.system.csv_safety import safe_cell

COLUMNS = ("severity", "kind", "item_ids", "title", "said", "seen", "action", "address")
SHOWN_OF_A_KIND = 100  # on the page; all are in the CSV
TITLES: Mapping[str, str] = {
    "picture_of_two_colours": "One picture for two colours",
    "duplicate_picture": "One picture for several products",
    "repeated_picture": "A picture shown twice",
    "colour_differs": "Another colour than the feed says",
    "category_differs": "Another garment than the feed says",
    "no_garment": "No garment in the picture",
    "fallback_only": "The garment was not found in the picture",
    "missing_picture": "Pictures that are missing",
    "broken_picture": "Pictures that are broken",
    "picture_gone": "Pictures that are gone since",
    "tiny_picture": "Pictures that are too small",
    "bad_row": "Rows that cannot be read",
    "no_title": "No title",
    "no_price": "No price",
}


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write a table whose cells a spreadsheet takes as text, never as a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in columns} for row in rows)
    write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))


def finding_row(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON."""
    return asdict(finding) | {"item_ids": list(finding.item_ids)}


def write_page(path: Path, home: Path, catalogue: str, findings: Sequence[Finding]) -> None:
    """Write the page; thumbnails are in it, so the file can be sent to anyone."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding)
    write_html(
        path,
        "audit.html.j2",
        catalogue=catalogue,
        count=len(findings),
        severities=[
            (each, sum(f.severity == each for f in findings)) for each in ("high", "medium", "low")
        ],
        kinds=[_kind_view(kind, each, home) for kind, each in kinds.items()],
    )


def _kind_view(kind: str, findings: Sequence[Finding], home: Path) -> dict[str, Any]:
    shown = [
        finding_row(each) | {"picture": stored_thumbnail(home, each.sha256)}
        for each in findings[:SHOWN_OF_A_KIND]
    ]
    return {
        "kind": kind,
        "title": TITLES.get(kind, kind),
        "severity": findings[0].severity,
        "count": len(findings),
        "shown": shown,
    }


def _cell(value: Any) -> str:
    text = " ".join(value) if isinstance(value, list | tuple) else str(value)
    return safe_cell(text)
