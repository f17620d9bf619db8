"""`kill -9` at random moments, a few times; `make soak` does it a hundred times."""

from pathlib import Path

from tests.soak.kill_runs import kill_at_random
from tests.support.small_catalogue import ITEMS


def test_nothing_acknowledged_is_lost_when_writers_are_killed(drawn: Path, tmp_path: Path) -> None:
    outcome = kill_at_random(tmp_path / "home", drawn, kills=6, seed=1, most=len(ITEMS))
    assert outcome.killed.total() == 6
    assert outcome.acknowledged
