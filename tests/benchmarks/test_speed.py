"""The speed benchmarks' own parts: no peer is installed, and nothing is held to a time."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.precision import details, lost, measures, summary, write_json
from benchmarks.speed.encode import Row, draw, encode
from benchmarks.speed.encode import report as encode_report
from benchmarks.speed.index import Cost, Way, WholePhotos, run
from benchmarks.speed.index import report as index_report
from benchmarks.speed.peers import process_timing
from benchmarks.speed.peers.environments import (
    PeerUnavailable,
    Timed,
    peer_python,
    version_of,
    watch,
)
from benchmarks.speed.peers.photos import environment
from benchmarks.speed.runtime import Measured, closeness_table, times_table
from indexer.description.describe import Describer
from indexer.images.photo import read_photo
from indexer.inference.conversion_check import min_cosine
from indexer.inference.runtime import Runtime
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import Models
from tests.indexer.description.test_describe import drawn as drawn_photos

TABLES = """detector: cpu, openvino, bf16; encoder: cpu, openvino, bf16

## luma

| Luma (2 queries) | sku @1 | sku @5 |
|---|---|---|
| **fused, default weights** | 0.750 (0.70–0.80) | 0.900 (0.85–0.95) |
| whole photos, no detection | 0.400 (0.30–0.50) | 0.600 (0.50–0.70) |

| kagl | both |
|---|---|
| visual only | 0.500 (0.40–0.60) |
| whole photo, both | 0.392 |
"""


def test_what_a_precision_loses_is_read_off_the_quality_tables() -> None:
    exact = measures(TABLES)
    assert exact == {
        ("Luma (2 queries)", "fused, default weights", "sku @1"): 0.75,
        ("Luma (2 queries)", "fused, default weights", "sku @5"): 0.9,
        ("kagl", "visual only", "both"): 0.5,
    }
    worse = measures(TABLES.replace("0.750", "0.738").replace("0.500", "0.501"))
    assert list(lost(exact, worse).values()) == [1.2, 0.0, -0.1]
    found = {"fp32": exact, "bf16": worse}
    first, second = summary(found).splitlines()[2:]
    assert "| +0.60 | no | +1.2 (fused, default weights, sku @1) |" in first
    assert "| -0.10 | yes |" in second
    assert details(found).splitlines()[2].endswith("| 0.750 | +1.2 |")


def test_how_each_precision_ran_is_written_beside_its_measures(tmp_path: Path) -> None:
    write_json({"bf16": TABLES}, {"bf16": measures(TABLES)}, tmp_path / "p.json")
    said = json.loads((tmp_path / "p.json").read_text("utf-8"))["bf16"]
    assert said["ran_as"] == "detector: cpu, openvino, bf16; encoder: cpu, openvino, bf16"
    assert {"table": "kagl", "row": "visual only", "measure": "both", "value": 0.5} in said[
        "measures"
    ]


def test_an_environment_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    python = tmp_path / "peer" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    made_of = {"python": sys.version, "packages": ["one==1", "two==2"]}
    (tmp_path / "peer" / "made-of.json").write_text(json.dumps(made_of, indent=1), "utf-8")
    assert peer_python("peer", ["one==1"], tmp_path, last=["two==2"]) == python


def test_a_peer_that_is_not_installed_is_named() -> None:
    assert version_of(Path(sys.executable), "numpy") == np.__version__
    with pytest.raises(PeerUnavailable, match="no-such-peer is not in"):
        version_of(Path(sys.executable), "no-such-peer")


def test_memory_of_children_is_counted() -> None:
    child = "import time; held = b'x' * 60_000_000; time.sleep(1.5)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    seen = watch([sys.executable, "-c", script], dict(os.environ))
    assert seen.peak_bytes > 60_000_000
    assert seen.seconds >= 1.5


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(PeerUnavailable, match=r"ended with 3.*no weights"):
        watch([sys.executable, "-c", "print('no weights'); raise SystemExit(3)"], {})


def timed(script: str) -> Timed:
    command = [sys.executable, "-P", "-c", script, str(Path(process_timing.__file__).parent)]
    return Timed(command, dict(os.environ))


def test_pieces_of_work_take_turns() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from process_timing import serve\n"
        "print('a library says hello')\n"
        "serve(lambda: print('and again') or {'read': 1}, {'ran_as': 'itself'})"
    )
    one, other = timed(script), timed(script)
    try:
        for _ in range(2):
            for each in (one, other):
                said = each.ask()
                assert said["details"] == {"read": 1}
                assert said["seconds"] > 0
        assert one.said == {"ran_as": "itself"}
    finally:
        one.close()
        other.close()


def test_work_that_ends_early_says_why() -> None:
    with pytest.raises(PeerUnavailable, match="it broke"):
        timed("raise SystemExit('it broke')")


def test_what_is_timed_knows_only_the_settings_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPEL_PRECISION", "int8")
    env = environment(3, LAPEL_HOME=Path("home"))
    assert {name for name in env if name.startswith("LAPEL_")} == {"LAPEL_HOME"}
    assert (env["OMP_NUM_THREADS"], env["LAPEL_HOME"]) == ("3", "home")


def write_photos(folder: Path, count: int) -> list[Path]:
    from PIL import Image

    paths = [folder / f"{i}.png" for i in range(count)]
    for path, photo in zip(paths, drawn_photos(count), strict=True):
        Image.fromarray(photo.pixels).save(path)
    return paths


def test_vectors_come_in_the_order_of_the_photos(tiny: Path, tmp_path: Path) -> None:
    encoder = ClipEncoder.load(f"local-dir:{tiny}", Runtime.choose("cpu"))
    paths = write_photos(tmp_path, 11)  # more than a thread takes at once
    alone = np.concatenate([encoder.embed([read_photo(path).pixels]) for path in paths])
    assert min_cosine(alone, encode(encoder, paths, at_once=2)) > 0.9999


def test_without_detection_a_photo_is_one_garment(models: Models) -> None:
    (photo,) = drawn_photos(1)
    whole = replace(models, detector=WholePhotos())
    ((garment,),) = Describer(whole).describe([photo])
    height, width = photo.image_hw
    assert tuple(garment.xyxy) == (0, 0, width, height)
    assert garment.mask.all()
    assert whole.fingerprint != models.fingerprint


def test_a_way_of_indexing_fills_an_empty_folder(tmp_path: Path) -> None:
    filled = tmp_path / "filled"
    (filled / "old").mkdir(parents=True)
    write = f"from pathlib import Path; Path({str(filled)!r}, 'new').write_bytes(b'12345')"
    check = f"from pathlib import Path; assert not Path({str(filled)!r}, 'old').exists()"
    commands: Sequence[Sequence[str]] = [[sys.executable, "-c", words] for words in (write, check)]
    cost = run(Way(commands, dict(os.environ), filled))
    assert cost.disk_bytes == 5
    assert len(cost.seconds) == len(cost.peak_bytes) == 1


def test_ratios_come_first_and_are_against_clip_retrieval(tmp_path: Path) -> None:
    rows = [Row("clip-retrieval", "torch", [4, 8, 10]), Row("Lapel", "openvino", [1, 2, 1])]
    shown = encode_report(rows, 80).splitlines()
    assert shown[2] == "| clip-retrieval | 1.00 | 10.0 | 8.0–20.0 | torch |"
    assert shown[3] == "| Lapel | 8.00 | 80.0 | 40.0–80.0 | openvino |"
    costs = {
        "Lapel": Cost([2, 2], [5_000_000, 7_000_000], 30_000),
        "clip-retrieval": Cost([8, 8], [9_000_000, 9_000_000], 10_000),
    }
    assert index_report(costs, 10).splitlines()[2] == "| Lapel | 4.00 | 2.0 | 5.0 | 6 | 3.0 |"
    draw({row.name: row.rate(80) for row in rows}, tmp_path / "rates.png")
    assert (tmp_path / "rates.png").stat().st_size > 1_000


def test_a_precision_that_would_be_refused_is_said() -> None:
    ms = {"torch fp32": 30.0, "torch fp32, 16 at once": 20.0, "OpenVINO fp32": 8.0,
          "OpenVINO bf16": 4.0}  # fmt: skip
    bounds = {"fp32": 0.9999, "bf16": 0.995, "int8": 0.98}
    found = [Measured("encoder", ms, {"fp32": 1.0, "bf16": 0.9961, "int8": 0.941}, bounds)]
    assert times_table(found).splitlines()[2] == "| encoder | 5.0 | 30.0 | 20.0 | 8.0 | 4.0 |"
    said = closeness_table(found)
    assert "0.9961 of 0.995: taken" in said
    assert "0.9410 of 0.98: refused" in said
