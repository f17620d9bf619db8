"""A better encoder is kept, and the catalogue goes over to it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.catalogue.catalogue import Catalogue
from indexer.description.describe import Describer
from indexer.feeds import read_feed
from indexer.finetuning.map_folding import fold, read_state, write_encoder
from indexer.fused_vector import unit_rows
from indexer.images.photo import read_photo
from indexer.inference.runtime import Runtime
from indexer.ingest.importer import Importer
from indexer.models.encoder import ClipEncoder
from indexer.settings import Settings
from indexer.system.checksums import check_sums
from search.finetuning.tune_encoder import text_map
from tests.support.command_line import lapel_in
from tests.support.encoder_tuning import ITEMS, Tiny, Train, load, told

pytestmark = pytest.mark.usefixtures("_tiny_models")


def rows_of(encoder: Path, folder: Path, view: str) -> NDArray[np.float32]:
    photos = [read_photo(folder / "images" / f"{item.item_id}_{view}.jpg") for item in ITEMS]
    served = ClipEncoder.load(f"local-dir:{encoder}", Runtime.choose("cpu"))
    return served.embed([photo.pixels for photo in photos])


def loud_settings(drawn_shop: Tiny, tmp_path: Path) -> Settings:
    """Write the tiny encoder with what tells a worn from a lying garment thirty times as loud."""
    shop = drawn_shop.feed.parent
    apart = rows_of(drawn_shop.encoder, shop, "worn") - rows_of(drawn_shop.encoder, shop, "flat")
    loud = unit_rows(apart.mean(axis=0, keepdims=True))
    change = np.eye(16, dtype=np.float32) + 30 * loud.T @ loud
    state = fold(read_state(drawn_shop.encoder), change, text_map(change))
    write_encoder(drawn_shop.encoder, tmp_path / "loud", state)
    source = f"local-dir:{tmp_path / 'loud'}"
    return Settings(home=tmp_path / "home", encoder=source, attributes=str(drawn_shop.attributes))


def test_a_better_encoder_is_kept_and_the_catalogue_goes_over_to_it(
    drawn_shop: Tiny, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = drawn_shop.feed.parent
    settings = loud_settings(drawn_shop, tmp_path)
    catalogue = Catalogue.open(settings, create=True)
    records = read_feed(drawn_shop.feed)
    Importer(catalogue, Describer(load(settings)), shop, shop).run(records)
    kept = train(settings, "--json")
    assert kept.exit_code == 0, kept.stderr
    report = told(kept)
    gain = next(each for each in report["gains"] if each["measure"] == "mrr")
    assert gain["gain"][1] > 0
    assert report["by_weights"]["gain"][0] > 0
    folder = Path(report["folder"])
    assert (folder / "report.json").is_file()
    assert not check_sums(folder)
    own = settings.model_copy(update={"encoder": f"local-dir:{folder}"})
    if not report["heads_lost"]:
        own = own.model_copy(update={"attributes": str(folder / "attributes")})
    else:
        own = own.model_copy(update={"attributes": ""})
    models = load(own)
    assert models.fingerprint != load(settings).fingerprint
    monkeypatch.setenv("LAPEL_ENCODER", own.encoder)
    monkeypatch.setenv("LAPEL_ATTRIBUTES", own.attributes)
    done = lapel_in(own.home, "reembed")
    assert done.exit_code == 0, done.stderr
    assert Catalogue.open(own).row().fingerprint == models.fingerprint
    found = lapel_in(own.home, "search", "--text", "blue shirt", "--json")
    assert found.exit_code == 0, found.stderr
    assert found.stdout
