"""A real server and visits to its page, for the page's tests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.server.limits import Limits
from indexer.models.loading import Models
from indexer.settings import Settings

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SMALL_PHONE = {"width": 320, "height": 568}  # the narrowest that a page must fit (WCAG 1.4.10)
PATIENCE_MS = 120_000  # against hanging for ever, on the slowest of machines
CARD = "#results .card:not(.ghost)"
Page = Any  # playwright's; it need not be installed


@dataclass(frozen=True)
class Served:
    """A running server's application and address."""

    app: FastAPI
    address: str


@contextmanager
def serve(home: Path, models: Models) -> Iterator[Served]:
    limits = Limits(rate_per_minute=0)
    app = create_app(Settings(home=home), limits, load=lambda settings: models)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.05)
        try:
            yield Served(app, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def visit(browser: Any, address: str, size: dict[str, int] = DESK) -> Iterator[Page]:
    """Open the page; whatever the test does, no script fails and no other host is asked."""
    context = browser.new_context(viewport=size, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    failed: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda said: _keep_refusals(said, failed))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert failed == []
    server = address.partition("/?")[0]
    assert not [url for url in asked if not url.startswith((server, "blob:", "data:"))]


def _keep_refusals(said: Any, failed: list[str]) -> None:
    # Answers of 4xx, and none while offline, are "errors" to the console; the page deals with them.
    if said.type == "error" and "Failed to load resource" not in said.text:
        failed.append(said.text)


def items(page: Page) -> list[str]:
    return [str(card.get_attribute("data-item")) for card in page.locator(CARD).all()]


@contextmanager
def searching(page: Page) -> Iterator[list[Any]]:
    """Wait for the search that the block brings about, until it is shown: [asked, answered]."""
    said: list[Any] = []
    with page.expect_response(lambda r: r.url.endswith("/search") and r.ok) as response:
        yield said
    said += [response.value.request.post_data_json, response.value.json()]
    page.wait_for_selector("#results[aria-busy=false]", state="attached")
