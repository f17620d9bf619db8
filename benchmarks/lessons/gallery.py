"""Draw what a search finds in the sample shop for street photos, a drawn photo and words."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.reports.overlay import draw_overlay
from api.schemas.serialise import label_of
from benchmarks.lessons.drawing import below, beside, titled, to_height
from benchmarks.lessons.lesson import Lesson
from indexer.images.photo import Photo, read_photo
from indexer.inference.conversion_check import street_photo
from indexer.models.encoder import cut_out, fit_into_square
from search.evaluation.bootstrap import table
from search.query.options import Options
from search.ranking.rank import Hit
from search.searcher import Searcher
from training.sample_shop import Look, draw_look
from training.segmenter.drawn import VALIDATION_SEED

K = 5
HIT_PX, PHOTO_PX = 150, 420
WHITE = (255, 255, 255)
TEXTS = ("blue jeans", "striped t-shirt", "red dress", "green puffer jacket")
# A garment and a seed that the shop does not have.
LOOK = Look("shirt", "light blue", "check", 4242, feminine=False)


def show(lesson: Lesson) -> dict[str, str]:
    """Draw the gallery, and say whose hits are of the garment's category."""
    _, searcher = lesson.shop.indexed
    images = lesson.shop.folder
    photos = {
        "bus": read_photo(street_photo("bus.jpg")),
        "zidane": read_photo(street_photo("zidane.jpg")),
        "drawn": Photo(draw_look(LOOK, "worn", VALIDATION_SEED).pixels, ""),
    }
    rows: list[list[str]] = []
    for name, photo in photos.items():
        lesson.save(f"gallery-{name}", _photo(searcher, photo, images, name, rows))
    lesson.save("gallery-words", below([_text(searcher, text, images) for text in TEXTS], 12))
    return {"gallery": table(["picture", "garment", "first hit", "score"], rows)}


def _photo(
    searcher: Searcher, photo: Photo, images: Path, name: str, rows: list[list[str]]
) -> NDArray[np.uint8]:
    """Show a photo, its masks, and a row of hits for each of its garments."""
    answer = searcher.search_photo(photo, Options(k=K))
    overlay = draw_overlay(photo.pixels, answer.described)
    top = beside([to_height(photo.pixels, PHOTO_PX), to_height(overlay, PHOTO_PX)])
    strips = []
    for garment, each in zip(answer.described, answer.garments, strict=True):
        crop = cut_out(photo.pixels, garment.xyxy, garment.mask, WHITE)
        square = titled(fit_into_square(crop, HIT_PX, WHITE), "query", 13)
        words = f"{each.id}  {label_of(garment)}"
        strips.append(titled(beside([square, *_hits(each.hits, images)]), words, 15))
        if each.hits:
            first = each.hits[0]
            rows.append([name, label_of(garment), first.item.title, f"{first.score:.2f}"])
    return below([top, *strips], 10)


def _text(searcher: Searcher, text: str, images: Path) -> NDArray[np.uint8]:
    found = searcher.search_text(text, Options(k=K + 1))
    return titled(beside(_hits(found.hits, images)), f"“{text}”", 16)


def _hits(hits: Sequence[Hit], images: Path) -> list[NDArray[np.uint8]]:
    """Return the hits' pictures with their scores, all of one size."""
    cards = []
    for hit in hits:
        picture = fit_into_square(read_photo(images / hit.matched_photo).pixels, HIT_PX, WHITE)
        cards.append(titled(picture, f"{hit.score:.2f}", 13))
    blank = np.full((HIT_PX + 21, HIT_PX, 3), 255, np.uint8)
    return cards or [blank]
