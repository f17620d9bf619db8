"""The real, bundled models on real and drawn photos."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.colour.illuminant import estimate_illuminant
from indexer.description.describe import Describer
from indexer.description.garment_choice import choose_garments
from indexer.errors import ModelError, SettingsError
from indexer.garments import Garments, place_mask
from indexer.images.photo import Photo, read_photo
from indexer.inference.runtime import Runtime
from indexer.models.attribute_heads import AttributeHeads
from indexer.models.detection.framed_detector import FramedDetector
from indexer.models.detection.people_first import PeopleFirstDetector
from indexer.models.detection.segmenter import Segmenter
from indexer.models.encoder import ClipEncoder
from indexer.models.loading import BUNDLED, Models, load_models
from indexer.settings import Settings
from indexer.vocabulary.categories import slot_of
from tests.support.fake_models import SeesNothing
from training.sample_shop import draw, sample_items


def drawn(n: int, view: str = "worn") -> list[Photo]:
    items = sample_items()
    return [
        Photo(draw(item, view, seed=77).pixels, str(i))  # type: ignore[arg-type]
        for i, item in enumerate(items[:: len(items) // n][:n])
    ]


def resized(path: Path, size: tuple[int, int]) -> Photo:
    buffer = io.BytesIO()
    Image.open(path).convert("RGB").resize(size).save(buffer, "PNG")
    return read_photo(buffer.getvalue())


def test_alone_and_in_a_batch_a_photo_is_described_the_same(
    describer: Describer, street_photo: Path
) -> None:
    photos = [*drawn(7), read_photo(street_photo), resized(street_photo, (333, 777))]
    together = describer.describe(photos)
    for photo, garments in zip(photos, together, strict=True):
        (alone,) = describer.describe([photo])
        assert [g.xyxy for g in alone] == [g.xyxy for g in garments]
        assert [g.slot for g in alone] == [g.slot for g in garments]
        for a, b in zip(alone, garments, strict=True):
            for at in describer.layout.slices().values():
                cosine = a.vector[at] @ b.vector[at]
                norms = np.linalg.norm(a.vector[at]) * np.linalg.norm(b.vector[at])
                assert cosine >= 0.9999 * norms
            assert (a.mask == b.mask).mean() > 0.9999


def test_every_part_is_unit_and_the_street_is_seen(
    describer: Describer, street_photo: Path
) -> None:
    garments = describer.describe([read_photo(street_photo)])[0]
    assert not any(garment.is_fallback for garment in garments)
    assert {"bottom"} <= {garment.slot for garment in garments}
    for garment in garments:
        for at in describer.layout.slices().values():
            assert float(np.linalg.norm(garment.vector[at])) == pytest.approx(1, abs=1e-3)
        assert garment.palette
        likely = garment.attributes["category"]
        assert {slot_of(category) for category in likely} == {garment.slot}
        assert garment.category == next(iter(likely))
        assert 0.0 < likely[garment.category] <= sum(likely.values()) <= 1.001
        assert "slot" not in garment.attributes  # the detector says it
        if garment.slot == "bottom":
            assert "sleeves" not in garment.attributes


def test_a_photos_light_is_estimated_once_for_all_its_garments(
    describer: Describer, street_photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(pixels: np.ndarray) -> np.ndarray:
        asked.append(id(pixels))
        return estimate_illuminant(pixels)

    monkeypatch.setattr("indexer.description.describe.estimate_illuminant", counted)
    garments, others = describer.describe([read_photo(street_photo), *drawn(1)])
    assert len(garments) + len(others) > 2
    assert len(asked) == len(set(asked)) == 2


def test_drawn_garments_are_found_where_they_are(describer: Describer) -> None:
    items = sample_items()[::12]
    shares = []
    for item in items:
        picture = draw(item, "worn", seed=5)
        garment = describer.describe([Photo(picture.pixels, "")], [item.slot])[0][0]
        full = place_mask(garment.mask, garment.xyxy, garment.image_hw)
        shares.append((full & picture.mask).sum() / (full | picture.mask).sum())
    assert np.mean(shares) > 0.6


def test_a_wanted_slot_picks_that_garment(describer: Describer) -> None:
    item = next(i for i in sample_items() if i.slot == "bottom")
    photo = Photo(draw(item, "worn", seed=3).pixels, "")
    (bottom,) = describer.describe([photo], ["bottom"])[0]
    (top,) = describer.describe([photo], ["top"])[0]
    assert bottom.xyxy[1] > top.xyxy[1]


def test_nothing_found_is_the_whole_photo_and_says_so(models: Models) -> None:
    describer = Describer(replace(models, detector=SeesNothing()))
    blank = Photo(np.full((200, 300, 3), 128, np.uint8), "")
    (garment,) = describer.describe([blank])[0]
    assert garment.is_fallback
    assert (garment.slot, garment.xyxy) == ("unknown", (0, 0, 300, 200))
    (named,) = describer.describe([blank], ["dress"])[0]
    assert (named.is_fallback, named.slot) == (True, "dress")
    plain = blank.pixels.copy()
    plain[50:150, 100:200] = (200, 30, 30)
    (square,) = describer.describe([Photo(plain, "")], ["top"])[0]
    assert square.xyxy[0] >= 90  # a plain background is told from what stands before it
    assert square.palette[0].name == "red"


def test_describing_nothing_gives_nothing(describer: Describer) -> None:
    assert describer.describe([]) == []


def test_fingerprints_change_with_what_they_name(models: Models) -> None:
    assert isinstance(models.detector, FramedDetector)
    detector = models.detector.inner
    assert isinstance(detector, PeopleFirstDetector)
    runtime = Runtime.choose("cpu")
    again = Segmenter.load(BUNDLED["segmenter"].folder, runtime)
    assert again.fingerprint == detector.whole.fingerprint
    assert again.fingerprint != detector.fingerprint
    assert len(models.fingerprint) == 16
    without = Models(detector, models.encoder, AttributeHeads([]))
    assert without.fingerprint != models.fingerprint


def test_a_wanted_slot_is_not_a_sliver_of_it() -> None:
    """A hood's lining is seen as a top before the jacket it belongs to."""
    photo = Photo(np.zeros((100, 100, 3), np.uint8), "")

    def chosen(side_px: int) -> int:
        found = Garments(
            (100, 100),
            np.array([[10, 10, 90, 90], [40, 10, 40 + side_px, 10 + side_px]], np.int32),
            ("outer", "top"),
            ("outer", "top"),
            np.array([0.8, 0.4], np.float32),
            (np.ones((80, 80), np.bool_), np.ones((side_px, side_px), np.bool_)),
        )
        return int(choose_garments(photo, found, "top", 0.25).masks[0].sum())

    assert chosen(20) == 80 * 80
    assert chosen(40) == 40 * 40


def test_missing_models_and_devices_are_named(tmp_path: Path) -> None:
    runtime = Runtime.choose("cpu")
    with pytest.raises(ModelError, match="no detector at"):
        Segmenter.load(tmp_path / "none", runtime)
    with pytest.raises(ModelError, match="cannot be loaded"):
        Segmenter.load(tmp_path, runtime)
    with pytest.raises(ModelError, match="local-dir"):
        ClipEncoder.load(f"local-dir:{tmp_path}", runtime)
    with pytest.raises(ModelError, match="without a network"):
        ClipEncoder.load("hf-hub:Marqo/marqo-fashionSigLIP", runtime)
    with pytest.raises(ModelError, match="attribute heads"):
        AttributeHeads.load(tmp_path)
    with pytest.raises(SettingsError, match="device"):
        Runtime.choose("tpu")


def test_another_encoder_goes_without_the_bundled_heads() -> None:
    folder = BUNDLED["encoder"].folder
    loaded = load_models(Settings(encoder=f"local-dir:{folder}"))
    assert loaded.layout.attributes == 0
    garments = Describer(loaded).describe(drawn(2))
    assert all(g.vector.shape == (loaded.layout.dim,) for each in garments for g in each)


def test_an_ultralytics_file_is_a_detector_too(tmp_path: Path, models: Models) -> None:
    from ultralytics import YOLO

    path = tmp_path / "tiny-seg.pt"
    YOLO("yolov8n-seg.yaml", task="segment").save(path)  # untrained: it need only run
    detector = Segmenter.load(path, Runtime.choose("cpu"))
    assert len(detector.settings.classes) == 80
    assert all(isinstance(g, Garments) for g in detector.detect(drawn(1)))
    assert detector.fingerprint != models.detector.fingerprint


def test_the_foreground_of_a_framed_photo_is_that_within_its_frame() -> None:
    pixels = np.zeros((300, 500, 3), np.uint8)
    pixels[:, 100:400] = (200, 90, 40)
    pixels[80:220, 180:320] = (30, 60, 120)
    photo = Photo(pixels, "")
    found = choose_garments(photo, Garments.empty((300, 500)), None, 0.25)
    assert found.is_fallback
    x1, y1, x2, y2 = found.xyxy[0].tolist()
    assert np.abs(np.array([x1 - 180, y1 - 80, x2 - 320, y2 - 220])).max() <= 4
