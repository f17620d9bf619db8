"""A catalogue's vector file in, its index of the right kind out; and which kind that should be.

The choice stands in a small file of JSON beside the vectors, so that it outlives them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.system.disk_errors import sync_folder
from indexer.system.sealed_files import CorruptFile, read_checksummed
from indexer.vectors.index import FaissIndex, VectorIndex, say_unused
from indexer.vectors.index_kinds import INDEX_TYPES, IndexType
from indexer.vectors.ivf_index import EFFORT, IvfIndex

# Garments up to which every vector is scored: 20,000 take 2.5 ms on one thread and 62 MB, and the
# answer is exact. Sorted into lists, so many take 0.6 ms, and a million 1 to 3 ms.
FLAT_MOST = 20_000
# Too few to be sorted into lists, whatever was chosen when there were more.
TUNED_LEAST = 1_000
# Lists were made for so many times fewer vectors: made anew, they are the right size again.
GROWN = 3
# Of the vectors: more that lie beside the file, each of which every search scores, are packed now.
BESIDE_MOST = 0.05


@dataclass(frozen=True, slots=True)
class Choice:
    """Which kind a catalogue's vectors are kept as, and what was measured when it was chosen.

    `by` is tune or size: only the first outlives a catalogue's growth.
    """

    kind: str
    by: str
    effort: int = EFFORT
    recall: float = 1.0
    wanted: float = 0.98
    garments: int = 0


def choice_file(path: Path) -> Path:
    """Return where the choice for a vector file stands."""
    return path.with_suffix(".json")


def read_choice(path: Path) -> Choice | None:
    """Return the choice for a vector file; None where none was made, or it cannot be read."""
    try:
        choice = Choice(**json.loads(choice_file(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # the size decides, as where nobody chose
    return choice if choice.kind in INDEX_TYPES else None


def write_choice(path: Path, choice: Choice) -> None:
    """Keep the choice for a vector file. OSError."""
    file = choice_file(path)
    beside = file.with_name(f"{file.name}.new")
    beside.write_text(json.dumps(asdict(choice)) + "\n", "utf-8")
    beside.replace(file)
    sync_folder(file.parent)


def describe_choice(path: Path) -> str:
    """Say in half a sentence how a catalogue's vectors are kept, and who chose that."""
    choice = read_choice(path)
    if choice is None:
        return ", each scored exactly"
    said = f", kept as {choice.kind} ({INDEX_TYPES[choice.kind].says}), chosen by {choice.by}"
    return f"{said} at {choice.garments} garments with a recall of {choice.recall:.3f}"


def kind_for(n: int, choice: Choice | None) -> IndexType:
    """Return the kind for n vectors: what was tuned, else by size."""
    if choice is not None and choice.by == "tune" and n >= TUNED_LEAST:
        return INDEX_TYPES[choice.kind]
    return INDEX_TYPES["flat" if n <= FLAT_MOST else "ivf8"]


def read_vectors(dim: int, path: Path) -> VectorIndex:
    """Read a saved index of whatever kind. Raises CorruptFile, OSError."""
    facts, content_bytes = read_checksummed(path)
    if facts.get("dim") != dim:
        raise CorruptFile(f"it holds vectors of {facts.get('dim')} dimensions, not {dim}")
    kind = INDEX_TYPES.get(str(facts.get("kind")))
    if kind is None:
        raise CorruptFile(
            f"it holds vectors as {facts.get('kind')!r}; there is {', '.join(INDEX_TYPES)}"
        )
    if kind.is_exact:
        return FaissIndex.read(path, facts)
    index = IvfIndex(path, facts, content_bytes)
    choice = read_choice(path)
    if choice is not None and choice.kind == kind.name:
        index.effort = choice.effort
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


def is_outgrown(index: VectorIndex, path: Path) -> bool:
    """Whether so many came that the file should be made anew, of another kind or with new lists."""
    if isinstance(index, IvfIndex):
        return len(index) > GROWN * index.trained_on
    return not kind_for(len(index), read_choice(path)).is_exact


def is_loaded(index: VectorIndex) -> bool:
    """Whether so many lie beside the file that searches take longer: a save packs them."""
    return isinstance(index, IvfIndex) and index.beside > BESIDE_MOST * len(index)


def is_superseded(index: VectorIndex, path: Path) -> bool:
    """Whether another process has saved the file anew, and it is better to search than this index.

    It is where much lies beside the old file here, and where it is of another kind.
    """
    if not isinstance(index, IvfIndex | FaissIndex) or not index.is_replaced:
        return False
    choice = read_choice(path)
    is_other = choice is not None and choice.kind != index.kind
    return is_other or (isinstance(index, IvfIndex) and index.is_due)


def move_choice(old: Path, new: Path) -> None:
    """Keep the choice for vectors that take another file's place."""
    if choice_file(old).is_file():
        choice_file(old).replace(choice_file(new))


def forget_file(path: Path) -> None:
    """Remove a vector file and its choice. OSError."""
    path.unlink(missing_ok=True)
    choice_file(path).unlink(missing_ok=True)
