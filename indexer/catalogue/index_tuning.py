"""A catalogue in, its vectors kept in the kind that answers its own questions fastest out."""

from collections.abc import Callable, Sequence

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.index_rebuild import RECALL, save_exact, source_of, switch
from indexer.errors import CatalogueError
from indexer.system.disk_errors import explained
from indexer.vectors.index_benchmark import Measured, best_of, tried_path, try_all
from indexer.vectors.index_file import TUNED_LEAST, Choice, write_choice
from indexer.vectors.index_kinds import INDEX_TYPES
from indexer.vectors.ivf_build import Source

MEMORY_MOST = 1.3e9  # bytes: what a catalogue of a million may take


def tune(
    catalogue: Catalogue,
    recall: float = RECALL,
    names: Sequence[str] = (),
    say: Callable[[Measured], None] = lambda measured: None,
    dry_run: bool = False,
) -> Measured:
    """Measure the kinds on a catalogue, and keep the best one's file and choice unless `dry_run`.

    Without `names` all kinds that fit into memory. Searches and imports go on meanwhile, what they
    change is caught up with. Returns the best, which is not kept if it misses the recall.
    Raises CatalogueError, CatalogueEmpty, CatalogueLocked, DiskFull.
    """
    row, layout = catalogue.row(), catalogue.layout
    if catalogue.settings.vectors_url:
        raise CatalogueError(
            "this catalogue's vectors are kept by Milvus, which has its own kinds: name one in "
            "LAPEL_VECTORS_URL"
        )
    if unknown := [name for name in names if name not in INDEX_TYPES]:
        raise CatalogueError(
            f"unknown kind {', '.join(unknown)}; there is {', '.join(INDEX_TYPES)}"
        )
    source, path = source_of(catalogue.engine, row, layout), catalogue.vector_file(row.uid)
    if len(source.ids) < TUNED_LEAST:
        raise CatalogueError(
            f"{len(source.ids)} garments are scored one by one in less than a millisecond: tune "
            f"from {TUNED_LEAST} on"
        )
    floats = 4 * source.dim * len(source.ids)
    names = names or [
        k.name for k in INDEX_TYPES.values() if not k.is_exact or floats <= MEMORY_MOST
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with explained(catalogue.settings.home):
            best = best_of(try_all(source, layout, recall, path, names, say), recall)
        if not dry_run and best.recall >= recall:
            _keep(catalogue, source, row.uid, best, recall)
        return best
    finally:
        for name in names:
            tried_path(path, name).unlink(missing_ok=True)


def _keep(catalogue: Catalogue, source: Source, uid: str, best: Measured, recall: float) -> None:
    choice = Choice(best.kind, "tune", best.effort, best.recall, recall, len(source.ids))
    with catalogue.writing():
        row = catalogue.row()
        if row.uid != uid:
            raise CatalogueError("the catalogue was re-embedded meanwhile; tune it again")
        path = catalogue.vector_file(uid)
        if INDEX_TYPES[best.kind].is_exact:
            save_exact(source, path)
            write_choice(path, choice)
        else:
            switch(tried_path(path, best.kind), path, choice)
