"""Show how garments' colours are named: palettes, and neighbours in the CIELAB plane."""

import csv
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.lessons.drawing import below, beside, figure_pixels
from benchmarks.lessons.lesson import Lesson
from indexer.colour.cielab import hex_to_lab, relight
from indexer.colour.histogram import pixels_in_mask
from indexer.colour.illuminant import estimate_illuminant
from indexer.colour.knn_namer import NEIGHBOURS, ColourNamer, bundled_namer
from indexer.colour.palette import ColourGroup, colour_groups
from indexer.description.describe import DescribedGarment
from indexer.images.photo import Photo, read_photo
from indexer.inference.conversion_check import street_photo
from indexer.models.encoder import cut_out, fit_into_square
from indexer.sample import SampleItem
from indexer.settings import WEIGHTS
from indexer.vocabulary.colour_terms import BASIC_NAMES, basic_name
from search.evaluation.bootstrap import cell, table
from training.sample_shop import draw, sample_items

NAMES = WEIGHTS / "colours" / "names.csv"
TRIED = (1, 3, 7, NEIGHBOURS, 31, 101, 401)  # neighbours
SIDE_PX = 150
APART = 12.0  # in CIELAB: words beside nearer ones would lie on each other
WHITE = (255, 255, 255)
# CSS's colours of the eleven names: what one would compare with who knows no better.
PLAIN = ("#000000", "#ffffff", "#808080", "#ff0000", "#008000", "#0000ff", "#ffff00", "#ffa500",
         "#800080", "#ffc0cb", "#a52a2a")  # fmt: skip


def teach(lesson: Lesson) -> dict[str, str]:
    """Draw palettes and neighbours, and measure how many are asked on the drawn shop."""
    photos = [read_photo(street_photo(name)) for name in ("bus.jpg", "zidane.jpg")]
    described = lesson.describer.describe(photos)
    pairs = [(p, g) for p, gs in zip(photos, described, strict=True) for g in gs]
    drawn = [Photo(draw(item, "worn").pixels, "") for item in sample_items()[5:260:60]]
    pairs += [(p, gs[0]) for p, gs in zip(drawn, lesson.describer.describe(drawn), strict=True)]
    lesson.save("palettes", _palettes(pairs))
    lesson.save("neighbours", _neighbours(pairs))
    return {"neighbours": _measure(sample_items())}


def _palettes(pairs: Sequence[tuple[Photo, DescribedGarment]]) -> NDArray[np.uint8]:
    """Show each garment with its colours by their shares, and their names."""
    cards = [_card(photo, garment) for photo, garment in pairs]
    rows = [beside(cards[i : i + 5], 14) for i in range(0, len(cards), 5)]
    return below(rows, 14)


def _card(photo: Photo, garment: DescribedGarment) -> NDArray[np.uint8]:
    crop = cut_out(photo.pixels, garment.xyxy, garment.mask, WHITE)
    strip = Image.new("RGB", (SIDE_PX, 86), "white")
    canvas = ImageDraw.Draw(strip)
    font, x = ImageFont.load_default(size=13), 0.0
    for i, colour in enumerate(garment.palette[:4]):
        wide = colour.share * SIDE_PX
        canvas.rectangle((x, 3, x + wide, 24), fill=colour.hex)
        x += wide
        canvas.text((2, 26 + 14 * i), f"{colour.name} {colour.share:.0%}", fill="black", font=font)
    return np.concatenate([fit_into_square(crop, SIDE_PX, WHITE), np.asarray(strip, np.uint8)])


def _neighbours(pairs: Sequence[tuple[Photo, DescribedGarment]]) -> NDArray[np.uint8]:
    """Show the labelled colours in the plane of a and b, and which vote on garments' colours."""
    from matplotlib.figure import Figure

    with NAMES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    hexes = [row["hex"] for row in rows]
    lab = np.array([hex_to_lab(each) for each in hexes])
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(lab[:, 1], lab[:, 2], c=hexes, s=9, linewidths=0)
    shown = {garment.palette[0].name: garment.palette[0] for _, garment in pairs}
    placed: list[NDArray[np.float32]] = []
    for colour in shown.values():
        at = hex_to_lab(colour.hex)
        if any(np.hypot(*(at - other)[1:]) < APART for other in placed):
            continue
        placed.append(at)
        found, _ = bundled_namer().nearest(at[None])
        votes = bundled_namer().basic_shares(at[None])[0]
        best = int(votes.argmax())
        for i in found[0]:
            axes.plot([at[1], lab[i, 1]], [at[2], lab[i, 2]], color="black", linewidth=0.4)
        axes.scatter([at[1]], [at[2]], c=[colour.hex], s=90, edgecolors="black")
        words = f"{colour.name}: {votes[best]:.0%} {BASIC_NAMES[best]}"
        axes.annotate(words, (at[1], at[2]), (6, 6), textcoords="offset points", fontsize=8)
    axes.set(xlabel="a: green to red", ylabel="b: blue to yellow")
    axes.set_title(
        f"{len(rows):,} labelled colours; lines to the {NEIGHBOURS} that vote", fontsize=10
    )
    return figure_pixels(figure)


def _measure(items: Sequence[SampleItem]) -> str:
    """Compare numbers of neighbours by the share of drawn garments named as the shop names them."""
    seen: list[tuple[str, list[ColourGroup], NDArray[np.float64]]] = []
    for item in items:
        photo = draw(item, "flat")
        basic = basic_name(item.colour)
        if basic is not None:
            lab = pixels_in_mask(photo.pixels, photo.mask)
            seen.append((basic, colour_groups(lab), estimate_illuminant(photo.pixels)))
    rows = [["1 of 11 CSS colours, nearest in RGB", cell([_plain(gs) == b for b, gs, _ in seen])]]
    for k in TRIED:
        namer = ColourNamer.load(NAMES, k)
        right = [_basic(namer, groups, light) == basic for basic, groups, light in seen]
        name = f"{k} neighbour{'s' * (k > 1)}{' (Lapel)' * (k == NEIGHBOURS)}"
        rows.append([name, cell(right)])
    return table([f"{len(seen)} drawn garments", "main colour as the shop says"], rows)


def _basic(namer: ColourNamer, groups: Sequence[ColourGroup], light: NDArray[np.float64]) -> str:
    shares = namer.basic_shares(relight(groups[0].centres, light))
    return BASIC_NAMES[int((groups[0].shares @ shares).argmax())]


def _plain(groups: Sequence[ColourGroup]) -> str:
    from indexer.colour.cielab import lab_to_hex

    seen = _rgb(lab_to_hex(groups[0].centres[0]))
    return BASIC_NAMES[int(np.argmin([np.linalg.norm(seen - _rgb(each)) for each in PLAIN]))]


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float64)
