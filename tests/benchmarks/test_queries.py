"""The tables and pictures of the query benchmarks, from rows as a run makes them."""

from pathlib import Path

from benchmarks.million import queries
from benchmarks.speed import cold_start
from benchmarks.speed.load import Load
from tests.support.pictures import is_drawn


def cells(row: str) -> list[str]:
    return row.strip("|").split("|")


def header(table: str) -> str:
    """The row above the line that divides a table of Markdown."""
    lines = table.splitlines()
    return lines[next(i for i, line in enumerate(lines) if set(line) <= set("|-: ") and line) - 1]


def test_a_run_is_shown_as_a_table_and_a_picture(tmp_path: Path) -> None:
    case = queries.Case("photo", "5 %", lambda client: client.get("/"))
    case.loads[1] = [Load(1, 2.0, [0.05, 0.06]), Load(1, 2.0, [0.07])]
    case.server_s[1] = 0.12
    row = queries._row(case, 1)
    assert (row["answers"], row["a_second"], round(row["p50_ms"])) == (3, 0.75, 60)
    assert round(row["server_ms"]) == 40
    last = queries.report([row]).splitlines()[-1]
    assert last.startswith("| photo | 5 % | 1 | 3 | 0.8 | 60.0 |")
    assert len(cells(last)) == len(cells(header(queries.report([row]))))
    queries.draw([row], tmp_path / "one.png")
    assert is_drawn(tmp_path / "one.png")


def test_starts_are_shown_as_a_table_and_a_picture(tmp_path: Path) -> None:
    seconds = {("--help", ""): [(0.2, 0.15), (0.3, 0.16), (0.1, 0.14)]}
    last = cold_start.report(seconds).splitlines()[-1]
    assert len(cells(last)) == len(cells(header(cold_start.report(seconds))))
    assert last == "| lapel --help | - | 0.20 | 0.15 | 0.10 | 0.4 |"
    cold_start.draw(seconds, tmp_path / "one.png")
    assert is_drawn(tmp_path / "one.png")
