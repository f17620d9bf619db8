"""Garments of framed photos and collages lie where they are in the photo."""

from collections.abc import Sequence

import numpy as np

from indexer.garments import Garments, Person
from indexer.images.photo import Photo
from indexer.models.detection.framed_detector import FramedDetector
from tests.indexer.images.test_frames import in_frame, plain, scene


class Corner:
    """Finds a top at each picture's upper left corner, on its one person, and keeps what it saw."""

    confidence = 0.25
    fingerprint = "corner"

    def __init__(self) -> None:
        self.seen: list[Photo] = []
        self.answers: list[Garments] = []

    def detect(self, photos: Sequence[Photo]) -> list[Garments]:
        self.seen += photos
        self.answers += [
            Garments(
                photo.image_hw,
                np.array([[0, 0, 20, 10], [20, 0, 40, 10]], np.int32),
                ("top", "bag"),
                ("top", "bag"),
                np.array([0.9 - 0.1 * i, 0.3], np.float32),
                (np.ones((10, 20), np.bool_),) * 2,
                people=(Person((0, 0, 50, 60), 0.8),),
                person=(0, None),
            )
            for i, photo in enumerate(photos)
        ]
        return self.answers[-len(photos) :]


def test_a_whole_photo_is_handed_on_as_it_is() -> None:
    inner = Corner()
    photo = Photo(scene(), "a")
    (found,) = FramedDetector(inner).detect([photo])
    assert inner.seen[0] is photo
    assert found is inner.answers[0]


def test_a_framed_photos_garments_lie_in_the_photo() -> None:
    framed, (x, y, _, _) = in_frame(scene(), plain(500, 400, (0, 0, 0)), 50, 60)
    inner = Corner()
    (found,) = FramedDetector(inner).detect([Photo(framed, "b")])
    assert inner.seen[0].image_hw == (400, 300)
    assert found.image_hw == (500, 400)
    assert found.xyxy.tolist()[0] == [x, y, x + 20, y + 10]
    assert found.people == (Person((x, y, x + 50, y + 60), 0.8),)
    assert found.person == (0, None)


def test_a_collages_people_are_those_of_all_its_parts_the_largest_first() -> None:
    collage = plain(400, 520, (0, 0, 0))
    in_frame(scene(400, 200, seed=1), collage, 0, 0)
    in_frame(scene(400, 300, seed=2), collage, 220, 0)
    (found,) = FramedDetector(Corner()).detect([Photo(collage, "c")])
    assert [each.xyxy for each in found.people] == [(220, 0, 270, 60), (0, 0, 50, 60)]
    assert found.confidence.tolist() == sorted(found.confidence.tolist(), reverse=True)
    tops = {found.person[i]: found.xyxy[i, 0] for i in range(4) if found.slot[i] == "top"}
    assert tops == {0: 220, 1: 0}
    assert found.person.count(None) == 2


def test_nothing_found_in_any_part_is_nothing() -> None:
    class Nothing(Corner):
        def detect(self, photos: Sequence[Photo]) -> list[Garments]:
            return [Garments.empty(photo.image_hw) for photo in photos]

    framed, _ = in_frame(scene(), plain(500, 400, (0, 0, 0)), 50, 60)
    found = FramedDetector(Nothing()).detect([Photo(framed, "d"), Photo(scene(), "e")])
    assert [(len(each), each.image_hw) for each in found] == [(0, (500, 400)), (0, (400, 300))]
    assert FramedDetector(Nothing()).detect([]) == []


def test_its_fingerprint_says_that_frames_are_cut() -> None:
    assert FramedDetector(Corner()).fingerprint != Corner.fingerprint
