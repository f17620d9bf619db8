"""Writes over HTTP, on a copy of the sample shop: items stored, changed, deleted; imports."""

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.models.loading import Models
from indexer.sample import SampleItem
from indexer.settings import Settings
from indexer.storage.tables import GarmentRow
from tests.support.http_requests import serving_here
from tests.support.sample_shop import Shop
from training.sample_shop import draw

ITEMS = "/v1/catalogues/default/items"


@pytest.fixture
def client(models: Models, home: Path) -> Iterator[TestClient]:
    with serving_here(Settings(home=home), models) as opened:
        yield opened
        for catalogue in opened.app.state.lapel.catalogues.opened().values():  # type: ignore[attr-defined]
            if catalogue.row().layout is not None:
                assert stored_ids(catalogue) == set(catalogue.vectors.ids().tolist())


def stored_ids(catalogue: Catalogue) -> set[int]:
    with Session(catalogue.engine) as session:
        found = session.scalars(
            select(GarmentRow.id).where(GarmentRow.catalogue_id == catalogue.id)
        )
        return set(found)


@pytest.fixture
def top(shop: Shop) -> SampleItem:
    return next(i for i in shop.items if i.slot == "top")


def picture(item: SampleItem, seed: int = 99) -> str:
    file = io.BytesIO()
    Image.fromarray(draw(item, "worn", seed=seed).pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def similar(client: TestClient, item_id: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{ITEMS}/{item_id}/similar", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["garments"][0]["results"]
    return found


def test_items_are_stored_found_changed_and_deleted(client: TestClient, top: SampleItem) -> None:
    new = {
        "item_id": "new/1",  # a slash is a shop's right
        "title": "A new shirt",
        "category": "Clothing > Tops > Shirts",
        "price": 19.5,
        "currency": "EUR",
        "availability": "in_stock",
        "fields": {"material": "linen"},
        "photos_base64": [picture(top), "bm8gcGljdHVyZQ=="],
    }
    bare = {"item_id": "bare", "title": "No picture"}
    broken = {"item_id": "broken", "photos_base64": ["bm8gcGljdHVyZQ=="]}
    sent = client.post(ITEMS, json={"items": [new, bare, broken, new]})
    assert sent.status_code == 200, sent.text
    statuses = [each["status"] for each in sent.json()["results"]]
    assert statuses == ["added", "failed", "failed", "failed"]
    assert sent.json()["counts"] == {"added": 1, "failed": 3}
    assert "photos_base64[1]" in sent.json()["results"][0]["details"][0]
    assert "send photos_base64" in sent.json()["results"][1]["details"][0]
    shown = client.get(f"{ITEMS}/new%2F1").json()
    assert shown["slot"] == "top"
    assert shown["category"] == "shirt"
    assert client.get(shown["picture"]).status_code == 200
    near = similar(client, "new%2F1", k=5)
    assert near
    assert "new/1" in [hit["item_id"] for hit in similar(client, near[0]["item_id"], k=500)]
    again = client.post(ITEMS, json={"items": [new]}).json()
    assert again["counts"] == {"unchanged": 1}

    assert client.delete(f"{ITEMS}/new%2F1").status_code == 204
    assert client.delete(f"{ITEMS}/new%2F1").status_code == 404
    assert client.get(f"{ITEMS}/new%2F1").status_code == 404
    assert "new/1" not in [hit["item_id"] for hit in similar(client, near[0]["item_id"], k=500)]


def test_a_change_leaves_the_rest_as_it_is(client: TestClient, shop: Shop) -> None:
    item = shop.items[0]
    path = f"{ITEMS}/{item.item_id}"
    before = client.get(path).json()
    changed = client.patch(path, json={"price": 9.0, "brand": None, "fields": {"fit": "slim"}})
    assert changed.json()["status"] == "changed"
    now = client.get(path).json()
    assert (now["price"], now["brand"], now["title"]) == (9.0, None, before["title"])
    assert now["fields"] == before["fields"] | {"fit": "slim"}
    assert now["pictures"] == before["pictures"]
    assert client.patch(f"{ITEMS}/nowhere", json={"price": 1}).status_code == 404


def test_another_category_looks_at_the_photos_again(client: TestClient, shop: Shop) -> None:
    item = next(i for i in shop.items if i.slot == "top")
    done = client.patch(ITEMS, json={"items": [{"item_id": item.item_id, "category": "Jackets"}]})
    assert done.json()["counts"] == {"changed": 1}
    assert client.get(f"{ITEMS}/{item.item_id}").json()["slot"] == "outer"
    assert similar(client, item.item_id, k=1)[0]["slot"] == "outer"


def test_batches_say_what_became_of_each(client: TestClient, shop: Shop) -> None:
    ids = [item.item_id for item in shop.items[:2]]
    changes = [{"item_id": i, "availability": "out_of_stock"} for i in (*ids, "nowhere")]
    done = client.patch(ITEMS, json={"items": changes}).json()
    assert done["counts"] == {"changed": 2, "missing": 1}
    gone = client.post(f"{ITEMS}/delete", json={"item_ids": [*ids, "nowhere"]}).json()
    assert gone["counts"] == {"deleted": 2, "missing": 1}
    stats = client.get("/v1/catalogues/default/stats").json()
    assert stats["items"] == len(shop.items) - 2


def test_items_are_listed_by_pages(client: TestClient, shop: Shop) -> None:
    found: list[str] = []
    after = ""
    while True:
        page = client.get(ITEMS, params={"limit": 7, "after": after}).json()
        found += [item["item_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == sorted(item.item_id for item in shop.items)


def test_facets_count_the_shop(client: TestClient, shop: Shop) -> None:
    facets = {f["field"]: f for f in client.get("/v1/catalogues/default/facets").json()["facets"]}
    slots = {v["value"]: v["count"] for v in facets["slot"]["values"]}
    assert slots == {s: sum(i.slot == s for i in shop.items) for s in {i.slot for i in shop.items}}
    assert facets["price"]["min"] == min(i.price for i in shop.items)
    patterns = {v["value"] for v in facets["pattern"]["values"]}
    assert patterns == {i.pattern for i in shop.items}
    named = client.get("/v1/catalogues/default/facets", params={"fields": "color,price"}).json()
    assert [f["field"] for f in named["facets"]] == ["colour", "price"]
    wrong = client.get("/v1/catalogues/default/facets", params={"fields": "nonsense"})
    assert wrong.status_code == 422


def test_an_import_runs_beside_searches_and_lists_its_errors(
    client: TestClient, shop: Shop, home: Path
) -> None:
    folder = home / "import"
    folder.mkdir()
    (folder / "pictures").symlink_to(shop.folder)  # leads out of the folder: refused
    path = "/v1/catalogues/default/import"
    for source in ("../lapel.sqlite", "/etc/passwd", "pictures/feed.tsv"):
        refused = client.post(path, json={"source": source})
        assert refused.status_code == 422
        assert "import folder" in refused.json()["detail"]
    for wrong in ({}, {"source": "x" * 400}, {"source": "a\0b"}, {"source": "none.tsv"}):
        assert client.post(path, json=wrong).status_code == 422
    rows = shop.feed.read_text("utf-8").splitlines()
    rows[1] = rows[1].replace(shop.items[0].item_id, "renamed", 1)
    feed = "\n".join(rows).replace(f"{shop.items[3].item_id}", "other-3").encode()
    sent = client.post(path, files={"feed": ("feed.tsv", feed)}, data={"options": "{}"})
    assert sent.status_code == 202, sent.text
    client.app.state.lapel.jobs.join()  # type: ignore[attr-defined]
    job = client.get(sent.headers["location"]).json()
    assert job["status"] == "done", job
    assert job["progress"] == {"read": len(shop.items), "total": len(shop.items)}
    assert job["counts"]["failed"] == len(shop.items)  # its pictures do not lie beside it
    listed = client.get(job["errors_csv"])
    assert listed.headers["content-type"].startswith("text/csv")
    assert listed.text.count("photo_missing") >= len(shop.items)
    assert client.get("/v1/jobs/none").status_code == 404


def test_an_import_with_columns_named_and_one_of_a_folder(
    client: TestClient, shop: Shop, home: Path
) -> None:
    folder = home / "import"
    shutil.copytree(shop.folder / "images", folder / "photos")
    (folder / "empty").mkdir()
    name = f"{shop.items[0].item_id}_worn.jpg"
    (folder / "shop.csv").write_text(f"code;label;front\nx1;Blaues Hemd;{name}\n", "utf-8")
    path = "/v1/catalogues/winter/import"
    named = {"mapping": ["id=code", "title=label", "photos=front"]}
    feed = {"source": "shop.csv", "images": "photos"}
    for wrong in ({"mapping": ["code"]}, {"mapping": "id=code"}, {**named, "format": "google"}):
        assert client.post(path, json=feed | wrong).status_code == 422, wrong
    first = client.post(path, json=feed | named)
    second = client.post(path, json={"source": "photos", "images": "empty"})
    client.app.state.lapel.jobs.join()  # type: ignore[attr-defined]
    done = client.get(first.headers["location"]).json()
    assert (done["status"], done["counts"]["added"]) == ("done", 1), done
    item = client.get("/v1/catalogues/winter/items/x1").json()
    assert (item["title"], item["slot"]) == ("Blaues Hemd", "top")
    # A folder's photos lie in it, whatever `images` says, as on the command line.
    done = client.get(second.headers["location"]).json()
    assert (done["status"], done["counts"]["failed"]) == ("done", 0), done
    assert done["counts"]["added"] == 2 * len(shop.items)


def test_what_another_process_wrote_is_found(client: TestClient, shop: Shop, home: Path) -> None:
    item = shop.items[0]
    assert client.get(f"{ITEMS}/{item.item_id}").status_code == 200
    near = similar(client, item.item_id, k=1)[0]["item_id"]
    other = Catalogue.open(Settings(home=home))
    other.delete([near])
    other.engine.dispose()
    assert similar(client, item.item_id, k=1)[0]["item_id"] != near
    assert client.get("/metrics").status_code == 200


def test_a_catalogue_that_is_not_there_or_is_empty(client: TestClient, top: SampleItem) -> None:
    assert client.get("/v1/catalogues/none/stats").status_code == 404
    new = {"item_id": "a", "category": "shirt", "photos_base64": [picture(top)]}
    for name in ("~hidden", "bad name", "..."):
        assert client.post(f"/v1/catalogues/{name}/items", json={"items": [new]}).status_code == 404
    made = client.post("/v1/catalogues/winter/items", json={"items": [{"item_id": "b"}]})
    assert made.json()["counts"] == {"failed": 1}
    empty = client.post("/v1/catalogues/winter/search", json={"text": "shirt"})
    assert empty.status_code == 409
    assert empty.json()["type"] == "urn:lapel:catalogue_empty"
    stored = client.post("/v1/catalogues/winter/items", json={"items": [new]})
    assert stored.json()["counts"] == {"added": 1}
    found = client.post("/v1/catalogues/winter/search", json={"text": "shirt"}).json()
    assert [r["item_id"] for r in found["garments"][0]["results"]] == ["a"]
