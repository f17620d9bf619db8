"""Time the HTTP server of a catalogue for each kind of query: table, JSON, picture.

    python -m benchmarks.million.queries [--garments 1000000] [--clients 1 8] [--seconds 10]

Without --garments, the drawn sample shop; with it, a catalogue of that many, made by
`benchmarks.million.catalogue`. The server is `lapel serve`, a process of its own; the clients share
its cores. Each kind is asked in turn, for several rounds, so that a busy machine is busy for all.
`server ms` is the processor time that the server took for an answer; other programs disturb it
less.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.million.catalogue import big_catalogue
from benchmarks.quality.text import read_queries
from benchmarks.speed.lapel_process import (
    RUNS,
    START_S,
    machine,
    running_server,
    sample_home,
)
from benchmarks.speed.load import Load, measure
from benchmarks.speed.plots import draw_bars, saved_figure
from indexer.inference.conversion_check import street_photo
from search.evaluation.bootstrap import table

TARGETS_MS = {"photo": 90, "text": 15, "similar": 8}
# Of the big catalogue, whose prices are spread evenly from 0 to 100; the sample shop's are similar.
FILTERS: dict[str, Any] = {
    "": None,
    "50 %": {"field": "price", "lte": 50},
    "5 %": {"field": "price", "lte": 5},
    "0.1 %": {"field": "price", "lte": 0.1},
}
Send = Callable[[httpx.Client], httpx.Response]


@dataclass(slots=True)
class Case:
    """One kind of query, and what was measured of it by number of clients."""

    kind: str
    passes: str
    send: Send
    loads: dict[int, list[Load]] = field(default_factory=dict)
    server_s: dict[int, float] = field(default_factory=dict)


def main(words: Sequence[str] | None = None) -> None:
    """Measure; print a Markdown table, write JSON and a picture beside it."""
    parser = argparse.ArgumentParser(prog="benchmarks.million.queries", description=__doc__)
    parser.add_argument("--garments", type=int, default=0, help="0: the drawn sample shop")
    parser.add_argument("--clients", type=int, nargs="+", default=(1, 8))
    parser.add_argument("--seconds", type=float, default=10.0, help="a kind, in all rounds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photo", type=Path, help="a street photo; else one of ultralytics'")
    parser.add_argument("--kinds", nargs="+", default=tuple(TARGETS_MS))
    parser.add_argument("--out", type=Path, default=RUNS)
    given = parser.parse_args(words)
    home = _home(given.garments)
    with running_server(home) as (url, process):
        cases = _cases(url, given.photo or street_photo(), given.garments > 0, given.kinds)
        _measure(cases, given.clients, given.seconds / given.rounds, given.rounds, process)
    given.out.mkdir(parents=True, exist_ok=True)
    name = f"speed_query-{given.garments or 'sample'}"
    rows = [_row(case, n) for case in cases for n in given.clients]
    print(report(rows))
    facts = {"machine": machine(), "garments": given.garments, "rows": rows}
    (given.out / f"{name}.json").write_text(json.dumps(facts, indent=1), "utf-8")
    draw(rows, given.out / f"{name}.png")
    print(f"\nwrote {given.out / name}.json and .png")


def _home(garments: int) -> Path:
    if garments:
        catalogue = big_catalogue(garments)
        catalogue.engine.dispose()
        return catalogue.settings.home
    return sample_home()


def _cases(url: str, photo: Path, is_big: bool, kinds: Sequence[str]) -> list[Case]:
    content = photo.read_bytes()
    texts = cycle([query["text"] for query in read_queries()[:64]])
    with httpx.Client() as client:
        items = client.get(f"{url}/v1/catalogues/default/items?limit=64").json()["items"]
    ids = cycle([item["item_id"] for item in items])
    address = f"{url}/v1/catalogues/default"

    def ask(make: Callable[[], dict[str, Any]], wanted: Any) -> Send:
        extra = {} if wanted is None else {"filter": wanted}
        return lambda client: client.post(f"{address}/search", json={**make(), **extra})

    def send_photo(wanted: Any) -> Send:
        extra = {} if wanted is None else {"options": json.dumps({"filter": wanted})}
        files = {"photo": ("street.jpg", content)}
        return lambda client: client.post(f"{address}/search", files=files, data=extra)

    def similar(client: httpx.Client) -> httpx.Response:
        return client.get(f"{address}/items/{next(ids)}/similar")

    found = []
    for kind in kinds:
        for passes, wanted in FILTERS.items():
            if passes == "0.1 %" and not is_big:
                continue  # of some hundred items that is none
            if kind == "photo":
                send = send_photo(wanted)
            elif kind == "text":
                send = ask(lambda: {"text": next(texts)}, wanted)
            else:
                send = similar if wanted is None else ask(lambda: {"item_id": next(ids)}, wanted)
            found.append(Case(kind, passes, send))
    return found


def _measure(
    cases: Sequence[Case],
    clients: Sequence[int],
    seconds: float,
    rounds: int,
    server: psutil.Process,
) -> None:
    with httpx.Client(timeout=START_S) as client:
        for case in cases:
            case.send(client).raise_for_status()  # warms up: exports, sets, pages of the database
            case.send(client).raise_for_status()
    for _ in range(rounds):
        for count in clients:
            for case in cases:
                before = sum(server.cpu_times()[:2])
                case.loads.setdefault(count, []).append(measure(case.send, count, seconds))
                spent = sum(server.cpu_times()[:2]) - before
                case.server_s[count] = case.server_s.get(count, 0.0) + spent


def _row(case: Case, clients: int) -> dict[str, Any]:
    loads = case.loads[clients]
    latencies = [1000 * s for load in loads for s in load.latencies]
    p50, p95, p99 = (
        [float(v) for v in np.percentile(latencies, (50, 95, 99))] if latencies else [np.nan] * 3
    )
    return {
        "query": case.kind,
        "filter": case.passes,
        "clients": clients,
        "answers": len(latencies),
        "a_second": len(latencies) / sum(load.seconds for load in loads),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "server_ms": 1000 * case.server_s[clients] / max(1, len(latencies)),
        "busy": sum(load.busy for load in loads),
        "errors": sum(load.errors.total() for load in loads),
    }


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    numbers = ("a_second", "p50_ms", "p95_ms", "p99_ms", "server_ms")
    cells = [
        [
            row["query"],
            row["filter"] or "-",
            str(row["clients"]),
            str(row["answers"]),
            *(f"{row[name]:.1f}" for name in numbers),
            str(row["busy"] + row["errors"]),
        ]
        for row in rows
    ]
    heads = ("query", "filter passes", "clients", "answers", "a second", "p50 ms", "p95 ms",
             "p99 ms", "server ms", "busy or error")  # fmt: skip
    return table(heads, cells)


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the medians and 95 % of one client as bars, with the targets."""
    fewest = min(row["clients"] for row in rows)
    shown = {f"{row['query']} {row['filter']}": row for row in rows if row["clients"] == fewest}
    with saved_figure(path, 7, 0.4 * len(shown) + 1.2) as grid:
        axes = grid[0, 0]
        medians = {name: row["p50_ms"] for name, row in shown.items()}
        wanted = {name: TARGETS_MS[row["query"]] for name, row in shown.items()}
        axes.barh(list(shown)[::-1], [row["p95_ms"] for row in shown.values()][::-1],
                  color="#c9d6e8", label="p95")  # fmt: skip
        draw_bars(axes, medians, 0, wanted)
        axes.set_xlabel(f"ms, {fewest} client(s), median and p95 (pale); red: wanted")


if __name__ == "__main__":
    main()
