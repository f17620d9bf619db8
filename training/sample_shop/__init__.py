"""The drawing of the sample shop: clothes, shoes, bags and hats, a feed, and the truth of each.

All artwork is the project's own, drawn by this package, and in the public domain.
"""

from indexer.sample import VIEWS, SampleItem, View, image_link, views_of
from training.sample_shop.feed import encode_jpeg, write_shop
from training.sample_shop.picture import DrawnPhoto, Look, WornGarment, draw_look
from training.sample_shop.shop import accessory_items, draw, look_of, sample_items

__all__ = [
    "VIEWS",
    "DrawnPhoto",
    "Look",
    "SampleItem",
    "View",
    "WornGarment",
    "accessory_items",
    "draw",
    "draw_look",
    "encode_jpeg",
    "image_link",
    "look_of",
    "sample_items",
    "views_of",
    "write_shop",
]
