"""Write and open the vector file of a large catalogue: a checksummed FAISS file of inverted lists.

The file is what `faiss.write_index` writes of an IndexIVFScalarQuantizer, but written list by list:
neither making it nor opening it needs room in memory for all codes. FAISS reads it memory-mapped.
The file of a small catalogue is written by `FaissIndex.save` in `flat_index.py`.
"""

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.fused_vector import Ids
from indexer.system.sealed_files import CorruptFile, write_checksummed

Codes = NDArray[np.uint8]
PIECE = 20_000  # codes gathered at a time: 16 MB of 8-bit codes
_NO_LISTS = b"il00"  # what FAISS writes where an index has no lists
# Windows can neither map FAISS's files nor replace a file that is mapped: there it is read.
MAPPED = faiss.IO_FLAG_MMAP if os.name != "nt" else 0


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where codes belong: `ids` (n,), `lists` (n,) list numbers; `codes` gives rows' codes."""

    ids: Ids
    lists: NDArray[np.int64]
    codes: Callable[[NDArray[np.int64]], Codes]


def padded(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (..., d) with zeros up to the next multiple of 16.

    FAISS has fast code for such lengths only: of others it scores a fifth as many a second.
    """
    more = -vectors.shape[-1] % 16
    wide = np.pad(vectors, [(0, 0)] * (vectors.ndim - 1) + [(0, more)]) if more else vectors
    return np.ascontiguousarray(wide, np.float32)


def scale_of(runs: Sequence[Sequence[float]], dim: int) -> NDArray[np.float32]:
    """Return by how much each of `dim` numbers counts when vectors are sorted into lists."""
    scale = np.ones(dim, np.float32)
    at = 0
    for length, by in runs:
        scale[at : at + int(length)] = by
        at += int(length)
    return scale


def nearest_lists(
    index: Any, vectors: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the list (n,) in which each vector (n, d) belongs."""
    if not len(vectors):
        return np.zeros(0, np.int64)
    return np.asarray(index.quantizer.search(vectors * scale, 1)[1][:, 0], np.int64)


def write_lists(path: Path, facts: Mapping[str, Any], trained: Any, placed: Placed) -> int:
    """Write a trained IndexIVFScalarQuantizer, filled with what is placed instead of its own.

    Returns how many bytes the content has. Raises OSError.
    """
    order = np.argsort(placed.lists, kind="stable")
    sizes = np.bincount(placed.lists, minlength=trained.nlist)

    def write(send: Callable[[bytes], object]) -> None:
        send(_header(trained, len(order)))
        send(
            struct.pack(
                "<4sQQ4sQ", b"ilar", trained.nlist, trained.code_size, b"full", trained.nlist
            )
        )
        send(sizes.astype("<u8").tobytes())
        for rows in np.split(order, np.cumsum(sizes)[:-1]):
            for at in range(0, len(rows), PIECE):
                send(placed.codes(rows[at : at + PIECE]).tobytes())
            send(placed.ids[rows].astype("<i8").tobytes())

    return write_checksummed(path, {**facts, "count": len(order)}, write)


def _header(trained: Any, count: int) -> bytes:
    """Return all that FAISS writes before the lists."""
    quantizer, dim = trained.quantizer, trained.d
    bare = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, trained.nlist, trained.sq.qtype, faiss.METRIC_INNER_PRODUCT, False
    )
    bare.sq, bare.is_trained, bare.ntotal = trained.sq, True, count
    bare.replace_invlists(None)
    written: bytes = faiss.serialize_index(bare).tobytes()
    if not written.endswith(_NO_LISTS):
        raise RuntimeError("this version of FAISS writes another format; install 1.8 to 1.15")
    return written[: -len(_NO_LISTS)]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """An opened file: the index as FAISS searches it, and where each id's code lies.

    `ids` (n,) ascend; `starts` (n,) are places in `content`, and `lists` (n,) list numbers, in
    their order.
    """

    index: Any
    ids: Ids
    lists: NDArray[np.int64]
    starts: NDArray[np.int64]
    content: Codes

    def codes(self, rows: NDArray[np.int64]) -> Codes:
        """Return the codes (n, code_size) of rows (n,) of `ids`."""
        size = self.index.code_size
        windows = np.lib.stride_tricks.sliding_window_view(self.content, size)
        return np.asarray(windows[self.starts[rows]])


def read_lists(path: Path, body_bytes: int) -> Lists:
    """Open what `write_lists` wrote; `body_bytes` is its length without the seal.

    Raises CorruptFile for what this FAISS cannot read, OSError.
    """
    try:
        index = faiss.read_index(str(path), MAPPED)
    except RuntimeError as error:
        raise CorruptFile(f"this version of FAISS cannot read it: {error}") from error
    content = np.memmap(path, np.uint8, "r", shape=(body_bytes,))
    size = index.code_size
    counts = np.array([index.invlists.list_size(i) for i in range(index.nlist)], np.int64)
    ends = body_bytes - counts.sum() * (size + 8) + np.cumsum(counts) * (size + 8)
    starts = ends - counts * (size + 8)
    ids = np.concatenate(
        [np.zeros(0, np.int64)]
        + [
            np.frombuffer(content[end - 8 * n : end], "<i8")
            for end, n in zip(ends.tolist(), counts.tolist(), strict=True)
        ]
    )
    lists = np.repeat(np.arange(index.nlist), counts)
    within = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = starts[lists] + within * size
    order = np.argsort(ids)
    return Lists(index, ids[order], lists[order], at[order], content)
