"""Write a `SHA256SUMS` beside each bundled model.

`lapel models verify` compares with these, and a test checks that they match the files. Run it after
any training that writes to `indexer/weights`.
"""

import sys

from indexer.models.registry import bundled_models
from indexer.settings import WEIGHTS
from indexer.system.checksums import write_sums


def main() -> None:
    """Write the hashes of every bundled model; fail for a folder the registry does not know."""
    described = {model.folder.name for model in bundled_models()}
    folders = {path.name for path in WEIGHTS.iterdir() if path.is_dir()}
    if described != folders:
        sys.exit(
            f"{WEIGHTS} holds {sorted(folders)}, indexer/models/registry.py describes "
            f"{sorted(described)}; say there what is shipped, with licence and source"
        )
    for model in bundled_models():
        sums = write_sums(model.folder)
        size = sum((model.folder / name).stat().st_size for name in sums)
        print(f"{model.name}: {len(sums)} files, {size / 1e6:.1f} MB, dim {model.dim}")


if __name__ == "__main__":
    main()
