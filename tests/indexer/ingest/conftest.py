"""What every test that starts Ray needs."""

from collections.abc import Iterator

import pytest

from tests.support.ray_models import RAY_START_S


@pytest.fixture(scope="module")
def _ray_token() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_raylet_start_wait_time_s", str(RAY_START_S))
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "0" * 64)
        yield
