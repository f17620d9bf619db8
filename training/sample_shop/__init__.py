"""The drawing of the sample shop: garments worn and lying flat, with a feed and the truth of each.

All artwork is the project's own, drawn by this package, and in the public domain.
"""

from indexer.sample import VIEWS, SampleItem, View, image_link
from training.sample_shop.feed import encode_jpeg, write_shop
from training.sample_shop.picture import DrawnPhoto, Look, WornGarment, draw_look
from training.sample_shop.shop import draw, look_of, sample_items

__all__ = [
    "VIEWS",
    "DrawnPhoto",
    "Look",
    "SampleItem",
    "View",
    "WornGarment",
    "draw",
    "draw_look",
    "encode_jpeg",
    "image_link",
    "look_of",
    "sample_items",
    "write_shop",
]
