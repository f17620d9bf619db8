"""Write the sample shop to disk: pictures, a Google Merchant feed, and the truth of each picture.

The feed is tab-separated with Google's attribute names (support.google.com, answer 7052112).
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from indexer.errors import FeedError
from indexer.sample.archive import SampleItem, View, image_link, views_of
from training.sample_shop.picture import DrawnPhoto, Mask
from training.sample_shop.shop import draw, sample_items

JPEG_QUALITY = 88
_CLOTHES = "Apparel & Accessories > Clothing"
GOOGLE_CATEGORY = {
    "top": f"{_CLOTHES} > Shirts & Tops",
    "bottom": f"{_CLOTHES} > Pants",
    "dress": f"{_CLOTHES} > Dresses",
    "outer": f"{_CLOTHES} > Outerwear > Coats & Jackets",
    "shorts": f"{_CLOTHES} > Shorts",
    "skirt": f"{_CLOTHES} > Skirts",
    "jumpsuit": f"{_CLOTHES} > One-Pieces > Jumpsuits & Rompers",
    "shoes": "Apparel & Accessories > Shoes",
    "bag": "Apparel & Accessories > Handbags, Wallets & Cases > Handbags",
    "backpack": "Luggage & Bags > Backpacks",
    "headwear": "Apparel & Accessories > Clothing Accessories > Hats",
}
SLOT_WORDS = {
    "top": "Tops",
    "bottom": "Bottoms",
    "dress": "Dresses",
    "outer": "Outerwear",
    "shoes": "Shoes",
    "bag": "Bags",
    "headwear": "Headwear",
}


def write_shop(
    folder: Path, items: Sequence[SampleItem] | None = None, seed: int = 0, progress: bool = True
) -> Path:
    """Write the shop's pictures, feed.tsv and truth.json; return the feed's path.

    `items` defaults to all clothes (560 pictures). Raises FeedError where the folder
    cannot be written.
    """
    chosen = sample_items() if items is None else items
    truth: list[dict[str, Any]] = []
    feed = folder / "feed.tsv"
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for item in tqdm(chosen, "drawing the sample shop", unit="item", disable=not progress):
            truth += [_write_picture(folder, item, view, seed) for view in views_of(item)]
        _write_feed(feed, chosen)
        (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    except OSError as error:
        raise FeedError(
            f"the sample shop cannot be written to {folder}: {error}; "
            "give a folder that can be written"
        ) from error
    return feed


def encode_jpeg(photo: DrawnPhoto) -> bytes:
    """Return a drawn photo as the bytes of a JPEG file."""
    bgr = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return content.tobytes()


def _write_picture(folder: Path, item: SampleItem, view: View, seed: int) -> dict[str, Any]:
    photo = draw(item, view, seed)
    (folder / image_link(item, view)).write_bytes(encode_jpeg(photo))
    return {
        "image": image_link(item, view),
        "item_id": item.item_id,
        "group_id": item.group_id,
        "view": view,
        "slot": item.slot,
        "category": item.category,
        "colour": item.colour,
        "pattern": item.pattern,
        **_mask_truth(photo.mask),
        "worn": [
            {"slot": g.slot, "category": g.category, **_mask_truth(g.mask)} for g in photo.worn
        ],
    }


def _mask_truth(mask: Mask) -> dict[str, Any]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "xyxy": [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1],
        "mask": {"size": list(packed["size"]), "counts": packed["counts"].decode("ascii")},
    }


def _feed_row(item: SampleItem) -> dict[str, str]:
    kind = GOOGLE_CATEGORY.get(item.category, GOOGLE_CATEGORY[item.slot])
    audience = {"female": "Women", "male": "Men", "unisex": "Unisex"}[item.gender]
    first, other = views_of(item)
    pattern = "" if item.pattern == "plain" else f", {item.pattern} pattern"
    return {
        "id": item.item_id,
        "title": item.title,
        "description": f"{item.title} in {item.material}{pattern}. Drawn for the sample shop.",
        "link": f"https://www.example.com/items/{item.item_id}",
        "image_link": image_link(item, first),
        "additional_image_link": image_link(item, other),
        "availability": item.availability,
        "price": f"{item.price:.2f} EUR",
        "brand": item.brand,
        "condition": "new",
        "age_group": "adult",
        "color": item.colour,
        "pattern": item.pattern,
        "material": item.material,
        "gender": item.gender,
        "size": item.size,
        "item_group_id": item.group_id,
        "google_product_category": kind,
        "product_type": f"{audience} > {SLOT_WORDS[item.slot]} > {item.category}",
    }


def _write_feed(path: Path, items: Sequence[SampleItem]) -> None:
    rows = [_feed_row(item) for item in items]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, list(rows[0]) if rows else ["id"], delimiter="\t", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
