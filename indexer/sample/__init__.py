"""The sample shop: drawn garments, worn and lying flat, with a feed and the truth of each.

All artwork is the project's own, drawn by this package, and in the public domain.
"""

from indexer.sample.feed import encode_jpeg, image_link, write_shop
from indexer.sample.picture import VIEWS, DrawnPhoto, Look, View, WornGarment, draw_look
from indexer.sample.shop import SampleItem, draw, sample_items

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
    "sample_items",
    "write_shop",
]
