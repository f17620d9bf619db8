"""The sample shop that comes with Lapel: drawn garments, a feed, and what each picture shows.

All artwork is the project's own, drawn by `training/sample_shop`, and in the public domain.
"""

from indexer.sample.archive import (
    VIEWS,
    SampleItem,
    View,
    image_link,
    reference_pictures,
    sample_items,
    unpack_shop,
    views_of,
)

__all__ = [
    "VIEWS",
    "SampleItem",
    "View",
    "image_link",
    "reference_pictures",
    "sample_items",
    "unpack_shop",
    "views_of",
]
