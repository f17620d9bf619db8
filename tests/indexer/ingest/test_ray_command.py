"""`lapel index --engine ray`, which starts a cluster of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.fused_vector import from_bytes
from indexer.settings import Settings
from tests.support.sample_shop import Shop
from tests.support.stored_garments import rows

# Looked for, not imported: it reads its variables when it is.
pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs: pip install 'lapel[ray]'"),
    pytest.mark.usefixtures("_ray_token"),
]
LAPEL = (sys.executable, "-c", "from api.cli.main import app; app()")


def test_the_command_and_the_bundled_models(shop: Shop, tmp_path: Path) -> None:
    lines = shop.feed.read_text("utf-8").splitlines()[:4]
    few = tmp_path / "feed.tsv"
    few.write_text("\n".join(lines) + "\n", "utf-8")
    words = ["index", str(few), "--images", str(shop.folder), "--engine", "ray"]
    done = subprocess.run(  # a process of its own: here Ray knows the tests' cluster
        [*LAPEL, "--home", str(tmp_path / "afar"), *words],
        env={**os.environ, "LAPEL_RAY_WORKERS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "1 workers, each of 1 CPUs" in done.stderr
    assert "3 items added" in done.stderr
    afar = rows(Catalogue.open(Settings(home=tmp_path / "afar")))
    here_catalogue = Catalogue.open(Settings(home=shop.home))
    here = rows(here_catalogue)[: len(afar)]
    assert [row[:-1] for row in afar] == [row[:-1] for row in here]
    dim = here_catalogue.layout.dim
    ours, theirs = (from_bytes([row[-1] for row in each], dim) for each in (afar, here))
    cosines = (ours * theirs).sum(1) / np.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
    assert cosines.min() >= 0.9999


def test_without_ray_the_command_says_what_to_install(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.distributed.cluster.find_spec", lambda name: None)
    words = ["--home", str(tmp_path / "none"), "index", str(drawn / "feed.tsv")]
    done = CliRunner().invoke(app, [*words, "--engine", "ray"])
    assert (done.exit_code, "pip install 'lapel[ray]'" in done.stderr) == (2, True)
    done = CliRunner().invoke(app, [*words, "--engine", "spark"])
    assert (done.exit_code, "one of local, ray" in done.stderr) == (2, True)
    assert not (tmp_path / "none").exists()
