"""Calculate memory, disk, hours and machines for a number of garments, from measured values.

Arithmetic, no measurement: docs/measurements/scale.md says where each number is from and what
would falsify it.
Run: python -m benchmarks.million.sizing
"""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.vectors.open_index import FLAT_MOST

SIZES = (20_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
GB, MB = 1e9, 1e6
# Measured; see docs/measurements/scale.md.
ROW_BYTES = 4_000  # SQLite, a garment with its item, photo and all indices: sample shop, 3,950
FLOAT16_BYTES = 1_554  # of it the vector: 777 numbers
FLAT_BYTES = 3_116  # in memory: 777 float32 and an id
IVF8_BYTES = 805  # of the mapped file of a million: 777 codes, an id, a share of the lists' centres
THUMBNAIL_BYTES = 14_000  # sample shop, 13,900 a photo
PHOTOS_PER_CORE_S = 7.4  # whole photo searches of four garments; indexing skips the search
# Assumed, not measured: see docs/measurements/scale.md.
PHOTOS_PER_GARMENT = 1.0
PHOTOS_PER_GPU_S = 500.0
MILVUS_DISK_BYTES = 3_108 + IVF8_BYTES  # the vectors as sent (float32), and the index beside
MEMORY_SHARE = (
    0.6  # of a machine's memory that vectors may fill; the rest is pages, rows, the system
)
MACHINE_GB = 128


@dataclass(frozen=True, slots=True)
class Need:
    """What one size needs."""

    garments: int

    @property
    def engine(self) -> str:
        """Where rows and vectors are kept."""
        if self.garments <= FLAT_MOST:
            return "SQLite, flat"
        if self.garments <= 10_000_000:
            return "SQLite or PostgreSQL, ivf8"
        return "PostgreSQL, Milvus IVF_SQ8"

    @property
    def is_milvus(self) -> bool:
        """Whether the vectors are beyond one process's file."""
        return "Milvus" in self.engine

    @property
    def memory_gb(self) -> float:
        """Of the vectors, once on a machine, however many processes map them."""
        each = FLAT_BYTES if "flat" in self.engine else IVF8_BYTES
        return self.garments * each / GB

    @property
    def rows_gb(self) -> float:
        """Of the database."""
        return self.garments * ROW_BYTES / GB

    @property
    def disk_gb(self) -> float:
        """Of all: rows, vectors, thumbnails."""
        vectors = MILVUS_DISK_BYTES if self.is_milvus else IVF8_BYTES
        photos = self.garments * PHOTOS_PER_GARMENT
        return (self.garments * (ROW_BYTES + vectors) + photos * THUMBNAIL_BYTES) / GB

    @property
    def core_hours(self) -> float:
        """To describe every photo on processors."""
        return self.garments * PHOTOS_PER_GARMENT / PHOTOS_PER_CORE_S / 3600

    @property
    def gpu_hours(self) -> float:
        """The same on GPUs, if one does as many as assumed."""
        return self.garments * PHOTOS_PER_GARMENT / PHOTOS_PER_GPU_S / 3600

    @property
    def vector_machines(self) -> int:
        """How many machines hold the vectors in memory, once."""
        return max(1, -int(-self.memory_gb // (MACHINE_GB * MEMORY_SHARE)))

    def row(self) -> str:
        """Return this as a row under the header."""
        cells = [
            f"{self.garments:,}",
            self.engine,
            _rounded(self.memory_gb),
            _rounded(self.rows_gb),
            _rounded(self.disk_gb),
            _rounded(self.core_hours),
            _rounded(self.gpu_hours),
            str(self.vector_machines),
        ]
        return f"| {' | '.join(cells)} |"


HEADER = (
    "| garments | rows, vectors | vectors in memory GB | rows GB | disk GB | core hours | "
    "GPU hours (assumed rate) | machines for vectors |\n|---:|---|" + "---:|" * 6
)


def cores_for(queries_per_s: float) -> int:
    """Return how many cores answer so many photo searches a second."""
    return -int(-queries_per_s // PHOTOS_PER_CORE_S)


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def main(sizes: Sequence[int] = SIZES) -> None:
    """Print the table of docs/measurements/scale.md."""
    print(HEADER)
    for size in sizes:
        print(Need(size).row())


if __name__ == "__main__":
    main()
