"""Keys: stored as hashes, checked on each request, revoked at once; without any, loopback only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli.main import app as command_line
from api.cli.serve import check_binding, is_loopback
from api.schemas.problems import TooManyRequests
from api.server.api_keys import ApiKeys
from api.server.limits import Limits
from api.server.rate_limit import RateLimit
from indexer.errors import SettingsError
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.database import open_engine
from tests.support.fake_models import HeldDetector, MeanEncoder
from tests.support.http_requests import serving_here

pytestmark = pytest.mark.usefixtures("store")  # on SQLite and on PostgreSQL

STATS = "/v1/catalogues/default/stats"
DELETE = "/v1/catalogues/default/items/delete"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def keys(settings: Settings) -> Iterator[ApiKeys]:
    engine = open_engine(settings.resolved_database_url, create=True)
    yield ApiKeys(engine)
    engine.dispose()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    models = Models(HeldDetector(), MeanEncoder(), AttributeHeads([]))
    with serving_here(settings, models) as opened:
        yield opened


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_keys_all_is_open_on_this_machine_and_by_its_names_only(
    client: TestClient,
) -> None:
    assert client.get(STATS).status_code == 200
    for name in ("127.0.0.1:8000", "localhost:9", "[::1]:8000"):
        assert client.get(STATS, headers={"Host": name}).status_code == 200
    elsewhere = client.get(STATS, headers={"Host": "shop.example"})
    assert elsewhere.status_code == 403
    assert "lapel keys make" in elsewhere.json()["detail"]


def test_keys_open_what_they_are_for(client: TestClient, keys: ApiKeys) -> None:
    search, admin = keys.make("publishable", "the web site"), keys.make("admin", "nightly import")
    body = {"item_ids": ["none"]}
    assert client.get(STATS).status_code == 401
    assert client.get(STATS).headers["www-authenticate"] == "Bearer"
    assert client.get(STATS, headers=bearer("lapel_pub_wrong")).status_code == 401
    assert client.get(STATS, headers=bearer(search)).status_code == 200
    assert client.get(STATS, headers={**bearer(search), "Host": "shop.example"}).status_code == 200
    assert client.post(DELETE, json=body, headers=bearer(search)).status_code == 403
    assert client.post(DELETE, json=body, headers=bearer(admin)).status_code == 200
    assert client.get("/metrics", headers=bearer(search)).status_code == 403
    assert client.get("/healthz").status_code == 200


def test_a_revoked_key_is_refused_at_once_and_opens_nothing(
    client: TestClient, keys: ApiKeys
) -> None:
    key = keys.make("publishable", "x")
    assert client.get(STATS, headers=bearer(key)).status_code == 200
    keys.revoke(keys.rows()[0].id)
    assert client.get(STATS, headers=bearer(key)).status_code == 401
    assert client.get(STATS).status_code == 401  # the last one revoked, the server stays shut


def test_no_key_is_stored(settings: Settings, keys: ApiKeys) -> None:
    key = keys.make("admin", "x")
    engine = open_engine(settings.resolved_database_url)
    with engine.connect() as database:
        stored = "".join(map(str, database.execute(text("SELECT * FROM api_key")).fetchall()))
    engine.dispose()
    assert key not in stored
    assert key[20:] not in stored


def test_the_command_line_makes_lists_and_revokes(settings: Settings) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(command_line, ["--home", str(settings.home), "keys", *words])
        return done.exit_code, done.stdout, done.stderr

    code, key, said = run("make", "admin", "--name", "import")
    assert code == 0
    assert key.startswith("lapel_adm_")
    assert "not shown again" in said
    _, listed, _ = run("list")
    assert "import" in listed
    assert key.strip() not in listed
    assert run("revoke", "1")[0] == 0
    assert "revoked" in run("list")[1]
    assert '"kind": "admin"' in run("list", "--json")[1]
    assert run("revoke", "7")[0] == 2
    assert run("make", "root")[0] == 2


def test_without_a_key_others_cannot_reach_the_server(settings: Settings, keys: ApiKeys) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert is_loopback(host)
        check_binding(settings, host)
    for host in ("0.0.0.0", "::", "192.168.1.5", "shop.example"):  # noqa: S104 - refused
        with pytest.raises(SettingsError, match="lapel keys make"):
            check_binding(settings, host)
    words = ["--home", str(settings.home), "serve", "--host", "0.0.0.0"]  # noqa: S104
    refused = CliRunner().invoke(command_line, words)
    assert refused.exit_code == 2
    assert "lapel keys make" in refused.stderr
    keys.make("admin", "x")
    check_binding(settings, "0.0.0.0")  # noqa: S104


def test_each_client_has_its_own_rate() -> None:
    now = 0.0
    limit = RateLimit(per_minute=60, clock=lambda: now)
    for _ in range(6):  # a tenth of a minute's at once
        limit.check("a")
    with pytest.raises(TooManyRequests):
        limit.check("a")
    limit.check("b")
    now += 1.0
    limit.check("a")
    with pytest.raises(TooManyRequests):
        limit.check("a")


def test_too_many_requests_are_told_to_wait(settings: Settings) -> None:
    models = Models(HeldDetector(), MeanEncoder(), AttributeHeads([]))
    with serving_here(settings, models, Limits(rate_per_minute=20)) as client:
        answers = [client.get(STATS) for _ in range(4)]
    assert [answer.status_code for answer in answers][:2] == [200, 200]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
