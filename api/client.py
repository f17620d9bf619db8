"""Call a Lapel server from Python: a small typed client over HTTP."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from api.schemas.recommend import CompleteAnswer, EventsStored, OutfitAnswer
from api.schemas.responses import (
    CatalogueList,
    DetectAnswer,
    Facet,
    Facets,
    Item,
    ItemStatus,
    ItemStatuses,
    JobAnswer,
    Problem,
    SearchAnswer,
    Stats,
)
from indexer.errors import LapelError

AnswerModel = TypeVar("AnswerModel", bound=BaseModel)
TIMEOUT_S = 60.0  # a batch of a hundred items with pictures takes most of it on a CPU
LONGEST_WAIT_S = 30.0  # between two requests to a busy server


class RequestRefused(LapelError):
    """The server answered with a `problem`; `retry_after_s` is when to send it again."""

    def __init__(self, problem: Problem, retry_after_s: float | None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem
        self.retry_after_s = retry_after_s


class Client:
    """Sends requests to one server, about one catalogue.

    A request that a busy server refuses (503, 429) is sent again, `tries` times in all, after the
    time that the server names. Raises RequestRefused, and httpx's errors when there is no answer.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str = "",
        catalogue: str = "default",
        tries: int = 3,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        self._catalogue = f"/v1/catalogues/{quote(catalogue, safe='')}"
        self._tries = tries

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def detect(self, photo: Path | bytes | None = None, **options: Any) -> DetectAnswer:
        """Find a photo's garments; `options` are DetectRequest's fields, `photo_url` and others."""
        return self._ask(DetectAnswer, "/v1/detect", photo, options)

    def search(self, photo: Path | bytes | None = None, **options: Any) -> SearchAnswer:
        """Search; `options` are SearchRequest's fields: `text`, `photo_id`, `k`, `filter`..."""
        return self._ask(SearchAnswer, f"{self._catalogue}/search", photo, options)

    def similar(self, item_id: str, **options: Any) -> SearchAnswer:
        """Find the items most similar to one of the catalogue's."""
        path = f"{self._item(item_id)}/similar"
        return SearchAnswer.model_validate(self._send("GET", path, params=options).json())

    def alternatives(self, item_id: str, **options: Any) -> SearchAnswer:
        """Find similar items in stock for about the same price; `band` is a share of it."""
        path = f"{self._item(item_id)}/alternatives"
        return SearchAnswer.model_validate(self._send("GET", path, params=options).json())

    def complete(
        self, item_id: str | None = None, photo: Path | bytes | None = None, **options: Any
    ) -> CompleteAnswer:
        """Find what goes with an item, or with a garment of a photo (CompleteRequest's fields)."""
        if item_id is None:
            return self._ask(CompleteAnswer, f"{self._catalogue}/complete", photo, options)
        answer = self._send("GET", f"{self._item(item_id)}/complete", params=options)
        return CompleteAnswer.model_validate(answer.json())

    def outfit(self, photo: Path | bytes | None = None, **options: Any) -> OutfitAnswer:
        """Find an item for each garment of one of a photo's people; OutfitRequest's fields."""
        return self._ask(OutfitAnswer, f"{self._catalogue}/outfit", photo, options)

    def send_events(self, events: Iterable[Mapping[str, Any]]) -> EventsStored:
        """Report what shoppers did, each event with EventIn's fields, a thousand at most."""
        body = {"events": list(events)}
        answer = self._send("POST", f"{self._catalogue}/events", json=body)
        return EventsStored.model_validate(answer.json())

    def item(self, item_id: str) -> Item:
        """Return one item as it is stored."""
        return Item.model_validate(self._send("GET", self._item(item_id)).json())

    def catalogues(self) -> CatalogueList:
        """Return the server's catalogues, by name."""
        return CatalogueList.model_validate(self._send("GET", "/v1/catalogues").json())

    def stats(self) -> Stats:
        """Count what is stored."""
        return Stats.model_validate(self._send("GET", f"{self._catalogue}/stats").json())

    def facets(self, fields: Sequence[str] = ()) -> list[Facet]:
        """Return the values to filter by."""
        params = {"fields": ",".join(fields)} if fields else {}
        answer = self._send("GET", f"{self._catalogue}/facets", params=params)
        return Facets.model_validate(answer.json()).facets

    def picture(self, address: str) -> bytes:
        """Return the JPEG at a result's `picture`."""
        return self._send("GET", address).content

    def put_items(self, items: Iterable[Mapping[str, Any]]) -> list[ItemStatus]:
        """Store items, each with ItemIn's fields; `photos_base64` or `photo_urls` are needed."""
        return self._batch("POST", "items", {"items": list(items)})

    def change_items(self, items: Iterable[Mapping[str, Any]]) -> list[ItemStatus]:
        """Change items' fields, by `item_id`."""
        return self._batch("PATCH", "items", {"items": list(items)})

    def delete_items(self, item_ids: Iterable[str]) -> list[ItemStatus]:
        """Delete items."""
        return self._batch("POST", "items/delete", {"item_ids": list(item_ids)})

    def start_import(self, feed: Path | None = None, **options: Any) -> JobAnswer:
        """Begin an import of a feed file, or of a `source` in the server's import folder."""
        path = f"{self._catalogue}/import"
        if feed is None:
            answer = self._send("POST", path, json=options)
        else:
            answer = self._send_file(path, "feed", feed.name, feed.read_bytes(), options)
        return JobAnswer.model_validate(answer.json())

    def job(self, job_id: str) -> JobAnswer:
        """Return an import's progress and counts."""
        return JobAnswer.model_validate(self._send("GET", f"/v1/jobs/{job_id}").json())

    def job_errors(self, job_id: str) -> str:
        """Return, as CSV, the rows and pictures that an import could not use."""
        return self._send("GET", f"/v1/jobs/{job_id}/errors.csv").text

    def wait(self, job_id: str, every_s: float = 0.2) -> JobAnswer:
        """Wait for an import to end; returns how it ended."""
        while (job := self.job(job_id)).status in ("waiting", "running"):
            time.sleep(every_s)
        return job

    def _item(self, item_id: str) -> str:
        return f"{self._catalogue}/items/{quote(item_id, safe='')}"

    def _ask(
        self,
        answer: type[AnswerModel],
        path: str,
        photo: Path | bytes | None,
        options: Mapping[str, Any],
    ) -> AnswerModel:
        if photo is None:
            return answer.model_validate(self._send("POST", path, json=options).json())
        content = photo if isinstance(photo, bytes) else photo.read_bytes()
        name = "photo" if isinstance(photo, bytes) else photo.name
        return answer.model_validate(self._send_file(path, "photo", name, content, options).json())

    def _batch(self, method: str, path: str, body: Mapping[str, Any]) -> list[ItemStatus]:
        answer = self._send(method, f"{self._catalogue}/{path}", json=body)
        return ItemStatuses.model_validate(answer.json()).results

    def _send_file(
        self, path: str, field: str, name: str, content: bytes, options: Mapping[str, Any]
    ) -> httpx.Response:
        data = {"options": json.dumps(options)}
        return self._send("POST", path, files={field: (name, content)}, data=data)

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        for tried in range(1, self._tries + 1):
            answer = self._http.request(method, path, **what)
            if answer.is_success:
                return answer
            refused = _refused(answer)
            if answer.status_code not in (429, 503) or tried == self._tries:
                raise refused
            time.sleep(min(LONGEST_WAIT_S, refused.retry_after_s or 1.0))
        raise ValueError(f"tries is {self._tries}; a request is sent once at least")


def _refused(answer: httpx.Response) -> RequestRefused:
    retry = answer.headers.get("retry-after", "")
    try:
        problem = Problem.model_validate(answer.json())
    except ValueError:  # a proxy's page, not this server's answer
        text = answer.text[:200]
        problem = Problem(
            type="", title=answer.reason_phrase, status=answer.status_code, detail=text
        )
    return RequestRefused(problem, float(retry) if retry.isdigit() else None)
