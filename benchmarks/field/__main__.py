"""Measure Lapel on one data set of the field by the set's own metrics, beside published results.

    python -m benchmarks.field NAME [--data DIR] [--json] [--write docs/measurements/field.md]

Prints a table in Markdown (or JSON); `--write` also puts it into a document, in place of what the
last run on this set put there. Every set is measured with the models of the settings
(`LAPEL_ENCODER`, `LAPEL_DETECTOR`), by default the bundled ones; none is trained or tuned.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.field import ccp, deepfashion, deepfashion2, fashionpedia, kagl, lookbench
from benchmarks.field.described import LoadModels
from benchmarks.field.report import Report, write_block
from indexer.errors import LapelError
from indexer.models.loading import load_models
from indexer.settings import Settings
from training.data.location import shared_folder

SETS: Mapping[str, tuple[Callable[[Path, LoadModels], Report], str]] = {
    "ccp": (ccp.measure, ccp.SOURCE),
    "deepfashion": (deepfashion.measure, deepfashion.SOURCE),
    "deepfashion2": (deepfashion2.measure, deepfashion2.SOURCE),
    "fashionpedia": (fashionpedia.measure, fashionpedia.SOURCE),
    "kagl": (kagl.measure, kagl.SOURCE),
    "lookbench": (lookbench.measure, lookbench.SOURCE),
}


def main(arguments: list[str] | None = None) -> None:
    """Measure one set."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("benchmarks.field", description=__doc__, formatter_class=raw)
    parser.add_argument("name", choices=list(SETS))
    usual = "the set's folder; by default data/NAME in $LAPEL_SHARED or ../shared"
    parser.add_argument("--data", type=Path, metavar="DIR", help=usual)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables in a document")
    options = parser.parse_args(arguments)
    measure, source = SETS[options.name]
    folder = options.data or shared_folder() / "data" / options.name
    if not folder.is_dir():
        parser.error(f"no folder {folder}; give the set's with --data. It is to be had: {source}")
    try:
        # What the import of a shop says on its way is no part of the answer.
        with contextlib.redirect_stdout(sys.stderr):
            report = measure(folder, lambda: load_models(Settings()))
    except (OSError, LapelError) as error:
        parser.error(str(error))
    print(json.dumps(report.json(), indent=1) if options.json else report.markdown())
    if options.write:
        write_block(options.write, report)


if __name__ == "__main__":
    main()
