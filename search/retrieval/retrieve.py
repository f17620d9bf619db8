"""Retrieve a catalogue's items most similar to each of several fused vectors.

slots and filters -> nearest vectors -> rows and exact scores -> rank. The garments of one photo go
together: their vectors are searched at the same time, their rows are read by the same SQL queries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import Layout
from indexer.storage.catalogue_row import select_row
from indexer.system.parallel import SEARCHING, parallel_map
from indexer.vectors.protocol import CANDIDATES, Neighbours
from search.query.options import Options
from search.ranking.rank import Hit, boost_of, hit_of, rank
from search.ranking.rerank import pool_for, rerank_hits
from search.retrieval.exact_scores import VectorQuery, first_batch_size, score_nearest
from search.retrieval.filtered_search import SearchScope, nearest
from search.retrieval.hit_rows import load_hit_details
from search.retrieval.keyword_boost import (
    NEAREST_BOOSTED,
    find_boosts,
    match_keywords,
    merge_matches,
)


def retrieve(
    catalogue: Catalogue, layout: Layout, queries: Sequence[VectorQuery], options: Options
) -> list[list[Hit]]:
    """Return the items nearest to each vector, best first; weights are each one's own.

    If k items (groups) match the filters, k come back. Raises QueryError.
    """
    if not queries:
        return []
    for each in queries:
        replace(options, weights=each.weights).check()
    pool = replace(options, k=pool_for(options.k, options.diversity, options.popularity))
    with SEARCHING, catalogue.engine.connect() as sql:
        further = _first_candidates(sql, catalogue, layout, queries, pool)
        some = [next(each) for each in further]
        found = _to_hits(sql, layout, queries, [near for near, _ in some], pool)
        for i, (_, is_whole) in enumerate(some):
            # Else many variants of few groups: look further.
            while len(found[i]) < pool.k or not (is_whole or found[i][-1].matched_words):
                near, is_whole = next(further[i], (None, True))
                if near is None:
                    break
                (found[i],) = _to_hits(sql, layout, [queries[i]], [near], pool)
        return [
            rerank_hits(sql, catalogue, layout, hits, replace(options, weights=each.weights))
            for hits, each in zip(found, queries, strict=True)
        ]


def _first_candidates(
    sql: Connection,
    catalogue: Catalogue,
    layout: Layout,
    queries: Sequence[VectorQuery],
    options: Options,
) -> list[Iterator[tuple[Neighbours, bool]]]:
    """Return for each query ever more candidates, and whether all keyword matches are in them.

    The first searches are made at once, in parallel.
    """
    row, known = select_row(sql, catalogue.id), options.known
    wanted = max(NEAREST_BOOSTED if known.category else CANDIDATES, 4 * options.k)
    weighted = [layout.weigh(each.vector, each.weights) for each in queries]
    matches = [
        match_keywords(sql, catalogue, row, known, vector, each.slots, options.filters)
        for vector, each in zip(weighted, queries, strict=True)
    ]
    # Where only the feed understands the text, vectors find nothing.
    by_looks = [i for i, ids in enumerate(matches) if not (ids and known.is_all)]
    scopes = {
        i: SearchScope.of(sql, catalogue, row, queries[i].slots, options.filters) for i in by_looks
    }
    firsts = parallel_map(lambda i: scopes[i].first(weighted[i], wanted), by_looks)
    near = {
        i: nearest(sql, scopes[i], weighted[i], wanted, first, first_batch_size(options))
        for i, first in zip(by_looks, firsts, strict=True)
    }
    return [merge_matches(ids, near.get(i)) for i, ids in enumerate(matches)]


def _to_hits(
    sql: Connection,
    layout: Layout,
    queries: Sequence[VectorQuery],
    near: Sequence[Neighbours],
    options: Options,
) -> list[list[Hit]]:
    scored = score_nearest(sql, layout, queries, near, options)
    boosts = [find_boosts(sql, options.known, options.words, each.candidates) for each in scored]
    ranked = [
        rank(each.candidates, each.scores, options.k, options.group, boosted)
        for each, boosted in zip(scored, boosts, strict=True)
    ]
    shown = load_hit_details(sql, [candidate for each in ranked for candidate in each])
    return [
        [
            hit_of(
                best,
                shown[best.row_id, best.garment_id],
                each.scores[best.garment_id],
                each.parts_of(best.garment_id),
                boost_of(best, boosted),
            )
            for best in chosen
            if (best.row_id, best.garment_id) in shown  # an item can be deleted between two reads
        ]
        for each, chosen, boosted in zip(scored, ranked, boosts, strict=True)
    ]
