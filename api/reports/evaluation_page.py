"""Write an evaluation as one self-contained HTML page: tables, plots, the worst failures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.console.evaluation_tables import SHORT, slice_cells, suggestion
from api.reports.evaluation_plots import reliability_plot, slice_plot, weight_plot
from api.reports.html import stored_thumbnail, write_html
from indexer.catalogue.catalogue import Catalogue
from indexer.storage.tables import ItemGarmentRow, ItemRow
from indexer.storage.thumbnails import hash_by_garment
from search.evaluation.confidence_fit import Calibrated
from search.evaluation.evaluate import Evaluation, Run
from search.evaluation.gallery import Gallery
from search.evaluation.gallery_ranking import QueryResult
from search.evaluation.queries import Query

FAILURES = 24  # on the page, the worst first: a hundred small pictures, half a megabyte
HITS = 4  # of each


def write_page(
    path: Path, catalogue: Catalogue, evaluation: Evaluation, gates: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page; pictures are in it, so the file can be sent to anyone."""
    run = evaluation.runs[0]
    calibrated = evaluation.calibrated
    write_html(
        path,
        "evaluation.html.j2",
        catalogue=evaluation.catalogue,
        garments=len(evaluation.gallery),
        products=len(evaluation.gallery.products),
        queries=len(run.queries),
        gates=gates,
        measures=SHORT,
        runs=[_run_view(each) for each in evaluation.runs],
        suggestion=suggestion(evaluation),
        weight_plot=weight_plot(evaluation),
        calibrated=_calibrated_view(calibrated) if calibrated else None,
        failed=sum(each.rank != 1 for each in run.results),
        failures=_failures(catalogue, evaluation.gallery, run),
    )


def _run_view(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "unread": len(run.unread),
        "rows": [(each.kind, each.name, each.n, slice_cells(each)) for each in run.slices],
        "plot": slice_plot(run.slices),
    }


def _calibrated_view(calibrated: Calibrated) -> dict[str, Any]:
    kinds = sorted(calibrated.calibration.curves)
    return {
        "plot": reliability_plot(calibrated),
        "queries": calibrated.calibration.queries,
        "street": calibrated.calibration.street,
        "kinds": kinds,
        "rows": [
            (name, each.n, f"{each.error:.3f}", f"{each.by_chance:.3f}")
            for name, each in (("best hits", calibrated.best), ("all hits", calibrated.every))
        ],
        "matches": [
            (name, f"{share:.1%}", f"{calibrated.absent[name]:.1%}")
            for name, share in calibrated.matches.items()
        ],
        "right": calibrated.same_is_right,
        "sure": calibrated.calibration.sure,
    }


def _failures(catalogue: Catalogue, gallery: Gallery, run: Run) -> list[dict[str, Any]]:
    """Return the queries whose product came last, with what came first."""
    pairs = [
        (query, found) for query, found in zip(run.queries, run.results, strict=True)
        if found.rank != 1 and found.scores
    ]  # fmt: skip
    pairs.sort(key=lambda pair: (-pair[1].rank, pair[1].right_score - pair[1].scores[0]))
    worst = pairs[:FAILURES]
    rows = {row for query, found in worst for row in _shown_rows(gallery, query, found)}
    ids = {row: int(gallery.garment_ids[row]) for row in rows}
    with Session(catalogue.engine) as session:
        hashes = hash_by_garment(session, list(ids.values()))
        items = session.execute(
            select(ItemGarmentRow.garment_id, ItemRow.item_id, ItemRow.title, ItemRow.colour)
            .join(ItemRow, ItemRow.id == ItemGarmentRow.item_id)
            .where(ItemGarmentRow.garment_id.in_(ids.values()))
            .order_by(ItemRow.id.desc())
        )
        named = {garment: (item_id, title, colour) for garment, item_id, title, colour in items}
    home = catalogue.settings.home
    views = {
        row: {
            "picture": stored_thumbnail(home, hashes.get(garment, "")),
            "item_id": named[garment][0],
            "title": named[garment][1] or named[garment][0],
            "colour": named[garment][2] or "",
        }
        for row, garment in ids.items()
    }
    return [_failure_view(gallery, query, found, views) for query, found in worst]


def _shown_rows(gallery: Gallery, query: Query, found: QueryResult) -> list[int]:
    return [query.row, _other_photo(gallery, query), *found.rows[:HITS]]


def _other_photo(gallery: Gallery, query: Query) -> int:
    rows = gallery.rows_of(query.product)
    return int(rows[gallery.photo[rows] != gallery.photo[query.row]][0])


def _failure_view(
    gallery: Gallery, query: Query, found: QueryResult, views: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    product = gallery.products[query.product]
    return {
        "group": product.group,
        "colour": product.colour or "",
        "rank": found.rank,
        "asked": views[query.row],
        "right": views[_other_photo(gallery, query)] | {"score": found.right_score},
        "hits": [
            views[row] | {"score": score, "is_right": right}
            for row, score, right in zip(
                found.rows[:HITS], found.scores, found.is_right, strict=False
            )
        ],
    }
