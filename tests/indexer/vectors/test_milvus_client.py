"""Milvus over the network goes and comes back, and other processes write to the same catalogue."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from indexer.catalogue.catalogue import Catalogue
from indexer.errors import VectorsUnreachable
from indexer.settings import Settings
from indexer.vectors.milvus.milvus_index import MilvusIndex
from tests.support.http_requests import serving_here
from tests.support.milvus_servers import free_port, running_milvus
from tests.support.small_catalogue import ITEMS, dots, equal_to_sql, fresh, make_small

ITEM = ITEMS[3].item_id
PATH = "/v1/catalogues/default/items"


def similar(client: TestClient, **more: Any) -> tuple[int, set[str]]:
    query = {"item_id": ITEM, "k": 30, "group_by": "item_id", "strict_slot": False, **more}
    answer = client.post("/v1/catalogues/default/search", json=query)
    body = answer.json()
    if answer.status_code != 200:
        assert body["type"] == "urn:lapel:vectors_unreachable"
        assert int(answer.headers["Retry-After"])
        return answer.status_code, set()
    return 200, {hit["item_id"] for hit in body["garments"][0]["results"]}


def delete_elsewhere(catalogue: Catalogue, item_id: str) -> None:
    """Delete an item in another process."""
    code = """if 1:
        import sys
        from indexer.catalogue.catalogue import Catalogue
        from indexer.settings import Settings
        Catalogue.open(Settings(home=sys.argv[1])).delete(sys.argv[2:])
    """
    home = str(catalogue.settings.home)
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, home, item_id], check=True, cwd=root)


def test_it_goes_and_comes_back(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    # As a server is by default: HNSW, and an index on each field.
    monkeypatch.setenv("LAPEL_VECTORS_URL", f"milvus+http://127.0.0.1:{port}")
    with running_milvus(tmp_path, port):
        small = make_small(drawn, tmp_path)
        assert isinstance(small.vectors, MilvusIndex)
        assert not small.vectors.is_exact
    settings = Settings(home=small.settings.home)
    with serving_here(settings, dots(1).models) as client:
        with running_milvus(tmp_path, port):
            status, all_of_them = similar(client)
            assert (status, ITEM in all_of_them, len(all_of_them)) == (200, False, 20)
        assert similar(client) == (503, set())
        with pytest.raises(VectorsUnreachable, match="LAPEL_VECTORS_URL"):
            fresh(small).vectors  # noqa: B018 - a property that looks
        change = {"items": [{"item_id": ITEMS[0].item_id, "price": 7.5}]}
        assert client.patch(PATH, json=change).status_code == 200  # stored, and found later
        assert client.delete(f"{PATH}/{ITEMS[1].item_id}").status_code in (200, 204)
        assert client.get("/metrics").status_code == 200
        with running_milvus(tmp_path, port):
            for _ in range(100):  # a connection that failed is tried again after a second
                if similar(client)[0] == 200:
                    break
                time.sleep(0.2)
            cheap = {"field": "price", "lte": 8}
            assert similar(client, filter=cheap) == (200, {ITEMS[0].item_id})
            assert similar(client)[1] == all_of_them - {ITEMS[1].item_id}
            delete_elsewhere(small, ITEMS[2].item_id)
            assert similar(client)[1] == all_of_them - {ITEMS[1].item_id, ITEMS[2].item_id}
            assert equal_to_sql(fresh(small))
