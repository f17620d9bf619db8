"""Describe the shared photo sets: the real garments that `benchmarks.million.vectors` grows.

The gallery is shops' and people's photos (Luma, the clothing set, kagl, street photos of CCP), the
queries are street photos of CCP kept out of it. Without the shared sets both come from the drawn
sample shop. Described once with the bundled models (minutes) and kept under `runs/million`.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from indexer.description.describe import Describer
from indexer.errors import LapelError
from indexer.fused_vector import PARTS, Layout
from indexer.images.photo import read_photo
from indexer.models.loading import load_models
from indexer.settings import Settings
from training.data.ccp import read_ccp, read_validation_ids
from training.data.location import shared_folder, tenth_of
from training.sample_shop import write_shop

CACHE = Path(__file__).parents[2] / "runs" / "million"
SETS = ("luma", "clothing", "kagl")
BATCH = 16  # photos described at a time
EVERY = 4  # of a set's photos one is taken: a few thousand garments are enough to grow from
ENOUGH_QUERIES = 320  # of street garments, where 256 are asked for


@dataclass(frozen=True, slots=True, eq=False)
class RealGarments:
    """Fused vectors of `gallery` (n, dim) and of `queries` (m, dim), no photo in both.

    `name` tells the photos that they were made of.
    """

    name: str
    layout: Layout
    gallery: NDArray[np.float32]
    queries: NDArray[np.float32]


def real_garments() -> RealGarments:
    """Return what was described before, or describe it now; remove the file to have it anew."""
    made_of = "shared" if _has_sets() else "sample"
    file = CACHE / f"garments-{made_of}.npz"
    if not file.is_file():
        describer = Describer(load_models(Settings()))
        gallery, queries = _describe_all(describer, made_of)
        layout = [getattr(describer.layout, part) for part in PARTS]
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, gallery=gallery, queries=queries, layout=layout)
    with np.load(file) as kept:
        gallery, queries = (kept[part].astype(np.float32) for part in ("gallery", "queries"))
        return RealGarments(file.stem, Layout(*kept["layout"].tolist()), gallery, queries)


def _has_sets() -> bool:
    return all((shared_folder() / "data" / name).is_dir() for name in (*SETS, "ccp"))


def _describe_all(
    describer: Describer, made_of: str
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Return the gallery's and the queries' vectors, as SQL keeps them."""
    if made_of == "shared":
        gallery, queries = _shared_photos()
        return _vectors(describer, gallery), _vectors(describer, queries, ENOUGH_QUERIES)
    with tempfile.TemporaryDirectory() as folder:
        write_shop(Path(folder), progress=False)
        photos = sorted(Path(folder).rglob("*.jpg"))
        asking = [path for path in photos if path.stem.endswith("worn") and tenth_of(path.stem) > 4]
        kept = sorted(set(photos) - set(asking))
        return _vectors(describer, kept), _vectors(describer, asking, ENOUGH_QUERIES)


def _shared_photos() -> tuple[list[Path], list[Path]]:
    """Return the gallery's photos and the queries': CCP's validation photos and a tenth more."""
    street = read_ccp().photos
    validation = read_validation_ids()
    asking = [photo for photo in street if photo.id in validation or tenth_of(photo.id) == 0]
    asking.sort(key=lambda photo: photo.id not in validation)
    shops = [path for name in SETS for path in _some(shared_folder() / "data" / name / "images")]
    kept = {photo.path for photo in street} - {photo.path for photo in asking}
    return [*shops, *sorted(kept)[::EVERY]], [photo.path for photo in asking]


def _some(folder: Path) -> list[Path]:
    photos = sorted(folder.rglob("*.jpg"))
    return photos if len(photos) < 1_000 else photos[::EVERY]  # Luma is small


def _vectors(
    describer: Describer, paths: Sequence[Path], enough: int | None = None
) -> NDArray[np.float16]:
    """Describe photos, in the order given, until there are enough garments."""
    found: list[NDArray[np.float32]] = []
    for at in tqdm(range(0, len(paths), BATCH), desc="describe", unit="batch"):
        photos = []
        for path in paths[at : at + BATCH]:
            try:
                photos.append(read_photo(path))
            except LapelError:
                continue  # a set's broken file is no garment
        found += [garment.vector for each in describer.describe(photos) for garment in each]
        if enough is not None and len(found) >= enough:
            break
    return np.stack(found).astype(np.float16)
