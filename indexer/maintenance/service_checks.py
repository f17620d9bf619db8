"""A catalogue whose vectors are in Milvus in, whether that answers and filters as SQL does out."""

from collections.abc import Iterator

import numpy as np
from sqlalchemy.orm import Session

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.index_sync import stored_ids
from indexer.errors import SettingsError, VectorsUnreachable
from indexer.maintenance.check_result import Finding, mended, ok, wrong
from indexer.vectors.milvus.filter_fields import covers, read_facts
from indexer.vectors.milvus.milvus_index import CHUNK, MilvusIndex

ANSWER = "start it, or mend LAPEL_VECTORS_URL; searches answer 503 meanwhile, imports go on"


def check_milvus(catalogue: Catalogue, repair: bool) -> Iterator[Finding]:
    """Look whether Milvus answers, and whether its fields let pass all that SQL's filters do."""
    if not catalogue.settings.vectors_url:
        return
    try:
        index = catalogue.vectors if catalogue.row().layout is not None else None
    except (VectorsUnreachable, SettingsError) as error:
        yield wrong("milvus", str(error), ANSWER)
        return
    if not isinstance(index, MilvusIndex):
        return
    stale = _count_stale(catalogue, index)
    where = f"{index.name} at {index.address.shown}"
    if not stale:
        yield ok("milvus", f"{where}, indexed as {index.address.kind}")
    elif repair:
        yield mended("milvus", f"{stale} rows could not be filtered: {catalogue.rebuild()} stored")
    else:
        said = f"{stale} rows of {where} are older than their items: filters miss them"
        yield wrong("milvus", said, "run `lapel doctor --repair`, or `lapel rebuild`")


def answers(found: Finding) -> bool:
    """Tell whether a finding lets the vectors be looked at."""
    return found.state != "wrong" or found.todo != ANSWER


def _count_stale(catalogue: Catalogue, index: MilvusIndex) -> int:
    stale = 0
    with Session(catalogue.engine) as session:
        ids = stored_ids(session, catalogue.id)
        for some in np.array_split(ids, max(1, -(-len(ids) // CHUNK))):
            now, kept = read_facts(session, some.tolist()), index.facts(some)
            stale += sum(not covers(kept[i], now[i]) for i in some.tolist() if i in kept)
    return stale
