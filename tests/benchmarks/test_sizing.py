"""What docs/measurements/scale.md says is what its formulas give."""

from pathlib import Path

import pytest

from benchmarks.million import sizing
from benchmarks.speed.model_switch import switching
from benchmarks.speed.workers import Served, draw
from tests.support.pictures import is_drawn

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    sizing.main()
    assert capsys.readouterr().out in (DOCS / "measurements" / "scale.md").read_text("utf-8")


def test_what_a_size_needs_grows_with_it() -> None:
    small, large = sizing.Need(1_000_000), sizing.Need(10_000_000)
    assert large.rows_gb == pytest.approx(10 * small.rows_gb)
    assert large.core_hours == pytest.approx(10 * small.core_hours)
    assert [sizing.Need(n).vector_machines for n in sizing.SIZES] == [1, 1, 1, 1, 2, 11]
    assert sizing.cores_for(100) == 14
    assert small.disk_gb > small.rows_gb + small.memory_gb


def test_rows_of_workers_and_their_picture(tmp_path: Path) -> None:
    one = Served(1, 15.0, 66.0, 73.0, 0, 441_000_000, 440_000_000)
    two = Served(2, 22.5, 88.0, 95.0, 0, 900_000_000, 700_000_000)
    assert one.row(one) == "| 1 | 15.0 | 66 | 73 | 0 | 441 | 440 | - |"
    assert two.row(one).endswith("| 900 | 700 | 260 |")
    draw([one, two], tmp_path / "workers.png")
    assert is_drawn(tmp_path / "workers.png")


def test_without_a_home_nothing_is_switched() -> None:
    with switching(None, "default") as lines:
        pass
    assert lines == []
