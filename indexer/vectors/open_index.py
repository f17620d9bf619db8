"""Open a catalogue's vector file as the right kind of index, and tell when it must be rebuilt.

There are two kinds: `flat`, float32 in memory and every vector scored, and `ivf8`, 8-bit codes in a
mapped file, sorted into lists. The number of garments decides. `flat_index.py` writes the first
kind, `ivf_file.py` the second. The tuning of `ivf8` is kept in a small JSON file beside the
vectors, so it is still known when the vector file is lost.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.system.disk_errors import sync_folder
from indexer.system.sealed_files import CorruptFile, read_checksummed
from indexer.vectors import ivf_build
from indexer.vectors.flat_index import FaissIndex
from indexer.vectors.ivf_index import EFFORT, IvfIndex
from indexer.vectors.protocol import VectorIndex, say_unused

# Garments up to which every vector is scored: 20,000 take 2.5 ms on one thread and 62 MB, and the
# answer is exact. Sorted into lists, so many take 0.6 ms, and a million 1 to 3 ms.
FLAT_MOST = 20_000
RECALL = 0.98  # of the ten that an exact search shows, so many are shown
# Lists were made for so many times fewer vectors: made anew, they are the right size again.
GROWN = 3
# Of the vectors: more that lie beside the file, each of which every search scores, are packed now.
BESIDE_MOST = 0.05
# Written by `lapel tune` of 0.1.0. `IvfIndex` reads their files; the next rebuild replaces them.
FORMER_KINDS = ("flat8", "flat16", "ivf16")


@dataclass(frozen=True, slots=True)
class IndexTuning:
    """What was measured when a catalogue's file was built.

    A search scores `effort` vectors: so many reach a recall@10 of `recall`, where `wanted` was
    asked for, among `garments`. `by` says who asked: `tune` a command, `size` the growth.
    """

    kind: str
    by: str
    effort: int = EFFORT
    recall: float = 1.0
    wanted: float = RECALL
    garments: int = 0


def tuning_file(path: Path) -> Path:
    """Return where the tuning of a vector file is written."""
    return path.with_suffix(".json")


def read_tuning(path: Path) -> IndexTuning | None:
    """Return the tuning of a vector file; None where there is none, or it cannot be read."""
    try:
        return IndexTuning(**json.loads(tuning_file(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_tuning(path: Path, tuning: IndexTuning) -> None:
    """Write the tuning of a vector file, atomically. Raises OSError."""
    file = tuning_file(path)
    beside = file.with_name(f"{file.name}.new")
    beside.write_text(json.dumps(asdict(tuning)) + "\n", "utf-8")
    beside.replace(file)
    sync_folder(file.parent)


def describe_tuning(path: Path) -> str:
    """Say in half a sentence how a catalogue's vectors are kept, and how well that finds."""
    tuning = read_tuning(path)
    if tuning is None:
        return ", each scored exactly"
    return (
        f", kept as {tuning.kind}, tuned by {tuning.by} at {tuning.garments} garments with a "
        f"recall of {tuning.recall:.3f}"
    )


def is_flat(garments: int) -> bool:
    """Tell whether a catalogue of so many garments is searched exactly."""
    return garments <= FLAT_MOST


def read_vectors(dim: int, path: Path) -> VectorIndex:
    """Read a saved index of either kind. Raises CorruptFile, OSError."""
    facts, content_bytes = read_checksummed(path)
    if facts.get("dim") != dim:
        raise CorruptFile(f"it holds vectors of {facts.get('dim')} dimensions, not {dim}")
    kind = facts.get("kind")
    if kind == FaissIndex.kind:
        return FaissIndex.read(path, facts)
    if kind not in (ivf_build.KIND, *FORMER_KINDS):
        known = f"{FaissIndex.kind}, {ivf_build.KIND}"
        raise CorruptFile(f"it holds vectors as {kind!r}; expected {known}")
    index = IvfIndex(path, facts, content_bytes)
    tuning = read_tuning(path)
    if tuning is not None and tuning.kind == kind:
        index.effort = tuning.effort
    return index


def open_vectors(dim: int, path: Path) -> VectorIndex:
    """Read a saved index, or return an empty exact one: there is none, or it is damaged.

    Damage is said in the log; SQL has it all.
    """
    try:
        return read_vectors(dim, path)
    except FileNotFoundError:
        pass  # the first of this catalogue, or removed on purpose
    except (CorruptFile, OSError) as error:
        say_unused(path, error)
    return FaissIndex(dim, path)


def is_outgrown(index: VectorIndex) -> bool:
    """Whether so many came that the file should be made anew, of another kind or with new lists."""
    if isinstance(index, IvfIndex):
        return len(index) > GROWN * index.trained_on
    return not is_flat(len(index))


def is_loaded(index: VectorIndex) -> bool:
    """Whether so many lie beside the file that searches take longer: a save packs them."""
    return isinstance(index, IvfIndex) and index.beside > BESIDE_MOST * len(index)


def is_superseded(index: VectorIndex, path: Path) -> bool:
    """Whether another process has saved the file anew, and it is better to search than this index.

    It is where much lies beside the old file here, and where it is of another kind.
    """
    if not isinstance(index, IvfIndex | FaissIndex) or not index.is_replaced:
        return False
    tuning = read_tuning(path)
    is_other = tuning is not None and tuning.kind != index.kind
    return is_other or (isinstance(index, IvfIndex) and index.is_due)


def move_tuning(old: Path, new: Path) -> None:
    """Keep the tuning for vectors that take another file's place."""
    if tuning_file(old).is_file():
        tuning_file(old).replace(tuning_file(new))


def forget_file(path: Path) -> None:
    """Remove a vector file and its tuning. Raises OSError."""
    path.unlink(missing_ok=True)
    tuning_file(path).unlink(missing_ok=True)
