"""Audit a catalogue: list what a shop should look at again, with severity and advice."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from indexer.audit.duplicates import DuplicateSet, find_duplicates
from indexer.audit.near_duplicates import NEAR_BITS
from indexer.audit.rules import Finding, SeenGarment, Severity, findings_of
from indexer.catalogue.catalogue import Catalogue
from indexer.storage.import_faults import ImportFault, stored_faults
from indexer.storage.tables import GarmentRow, ItemGarmentRow, ItemPhotoRow, ItemRow, PhotoRow
from indexer.system.batching import batches

ITEMS_AT_ONCE = 500
MOST = 0.5  # of a catalogue's items: what more of them lack is one finding, of the feed
NAMED = 20  # items named in one finding: a thousand sizes tell no more
ORDER: tuple[Severity, ...] = ("high", "medium", "low")
_SEEN = (
    "slot", "category", "is_fallback", "box", "palette", "attributes", "sha256", "address",
    "position",
)  # fmt: skip
# Type of an import error -> kind of finding, and what to do.
_FAULTS = {
    "photo_too_small": ("tiny_picture", "give a larger picture"),
    "photo_too_many_bytes": ("broken_picture", "give a smaller file"),
    "photo_too_many_pixels": ("broken_picture", "give a smaller picture"),
    "photo_empty": ("broken_picture", "upload the picture again"),
    "photo_truncated": ("broken_picture", "upload the picture again: it is cut short"),
    "photo_unreadable": ("broken_picture", "give a JPEG, PNG or WebP"),
    "fetch_failed": ("missing_picture", "sync again when the picture's server answers"),
    "row_error": ("bad_row", "mend the feed's row"),
}


def audit(
    catalogue: Catalogue,
    near_bits: int | None = NEAR_BITS,
    progress: Callable[[int], None] = lambda items: None,
) -> list[Finding]:
    """Return all findings, the most severe first; runs no model."""
    with Session(catalogue.engine) as session:
        faults = list(_of_faults(session, catalogue.id))
    missing: Counter[str] = Counter()
    of_items = _counted(_of_items(catalogue, progress), missing)
    findings = merge([*faults, *of_items])
    items = catalogue.stats()["items"]
    for kind in [kind for kind, count in missing.items() if count > MOST * items]:
        findings = [each for each in findings if each.kind != kind]
        findings.append(_of_the_feed(kind, missing[kind], items))
    findings += [_of_duplicates(each) for each in find_duplicates(catalogue, near_bits)]
    return sorted(findings, key=lambda f: (ORDER.index(f.severity), f.kind, f.title, f.item_ids))


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings that a person would count as one: those of a photo's size variants."""
    merged: dict[tuple[str, ...], Finding] = {}
    for each in findings:
        first = merged.get(each.key)
        if first is None:
            merged[each.key] = each
        elif each.item_ids[0] not in first.item_ids and len(first.item_ids) < NAMED:
            merged[each.key] = replace(first, item_ids=first.item_ids + each.item_ids)
    return list(merged.values())


def _counted(findings: Iterable[Finding], missing: Counter[str]) -> Iterator[Finding]:
    for each in findings:
        if each.kind in ("no_title", "no_price"):
            missing[each.kind] += 1
        yield each


def _of_the_feed(kind: str, count: int, items: int) -> Finding:
    name = kind.removeprefix("no_")
    return Finding(
        kind, "medium", (), f"{count} of {items} items", f"no {name}", "",
        f"look whether the feed has a column of {name}s, under another name (--map)",
    )  # fmt: skip


def _of_items(catalogue: Catalogue, progress: Callable[[int], None]) -> Iterator[Finding]:
    after = 0
    while True:
        with Session(catalogue.engine) as session:
            items = session.scalars(
                select(ItemRow)
                .where(ItemRow.catalogue_id == catalogue.id, ItemRow.id > after)
                .order_by(ItemRow.id)
                .limit(ITEMS_AT_ONCE)
            ).all()
            if not items:
                return
            after = items[-1].id
            ids = [item.id for item in items]
            garments = _garments(session, ids)
            addresses = _addresses(session, ids)
            for item in items:
                yield from findings_of(item, garments[item.id], addresses[item.id])
        progress(len(ids))


def _garments(session: Session, row_ids: Sequence[int]) -> dict[int, list[SeenGarment]]:
    """Return each item's garments without their vectors, those of the main photo first."""
    g = GarmentRow
    rows = session.execute(
        select(
            ItemGarmentRow.item_id, g.slot, g.category, g.is_fallback, g.box, g.palette,
            g.attributes, PhotoRow.sha256, ItemPhotoRow.address, ItemPhotoRow.position,
            PhotoRow.height, PhotoRow.width,
        )
        .join(g, g.id == ItemGarmentRow.garment_id)
        .join(PhotoRow, PhotoRow.id == g.photo_id)
        .join(
            ItemPhotoRow,
            (ItemPhotoRow.item_id == ItemGarmentRow.item_id)
            & (ItemPhotoRow.photo_id == g.photo_id),
        )
        .where(ItemGarmentRow.item_id.in_(row_ids))
        .order_by(ItemPhotoRow.position, g.id)
    )  # fmt: skip
    by_item: dict[int, list[SeenGarment]] = defaultdict(list)
    for row in rows:
        item_id, *fields, height, width = row
        named = dict(zip(_SEEN, fields, strict=True))
        by_item[item_id].append(SeenGarment(**named, image_hw=(height, width)))
    return by_item


def _addresses(session: Session, row_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    rows = session.execute(
        select(ItemPhotoRow.item_id, PhotoRow.sha256, ItemPhotoRow.address)
        .join(PhotoRow, PhotoRow.id == ItemPhotoRow.photo_id)
        .where(ItemPhotoRow.item_id.in_(row_ids))
        .order_by(ItemPhotoRow.position)
    )
    by_item: dict[int, dict[str, str]] = defaultdict(dict)
    for item_id, sha256, address in rows:
        by_item[item_id][sha256] = address
    return by_item


def _of_faults(session: Session, catalogue_id: int) -> Iterator[Finding]:
    """Yield the errors of the last import; more severe if the item is not stored at all."""
    for some in batches(stored_faults(session, catalogue_id), ITEMS_AT_ONCE):
        yield from _of_some_faults(session, catalogue_id, some)


def _of_some_faults(
    session: Session, catalogue_id: int, faults: Sequence[ImportFault]
) -> Iterator[Finding]:
    stored = select(ItemRow.item_id, ItemRow.title).where(
        ItemRow.catalogue_id == catalogue_id, ItemRow.item_id.in_({f.item_id for f in faults})
    )
    titles = {row.item_id: row.title for row in session.execute(stored)}
    for fault in faults:
        kind, action = _FAULTS.get(fault.kind, ("missing_picture", "put the picture there"))
        is_stored = fault.item_id in titles
        yield Finding(
            kind,
            "medium" if is_stored else "high",
            (fault.item_id,),
            titles.get(fault.item_id, ""),
            fault.address,
            fault.detail if is_stored else f"{fault.detail}; so the item cannot be found at all",
            action,
            address=fault.address,
        )


def _of_duplicates(each: DuplicateSet) -> Finding:
    first = each.shown[0]
    ids = tuple(dict.fromkeys(shown.item_id for shown in each.shown))
    severity: Severity
    what = "the same picture" if each.kind == "exact" else "the same picture, saved anew,"
    if len(each.colours) > 1:
        kind, severity = "picture_of_two_colours", "high"
        seen = f"{what} is shown for {' and '.join(each.colours)}"
        action = "give each colour a picture of its own"
    elif len(each.groups) > 1:
        kind, severity = "duplicate_picture", "medium"
        seen = f"{what} is shown by {len(each.groups)} products: {', '.join(each.groups[:5])}"
        action = "look whether they are one product, or one has another's picture"
    else:
        kind, severity = "repeated_picture", "low"
        seen = f"{len({shown.sha256 for shown in each.shown})} of its pictures look the same"
        action = "leave one of them out"
    return Finding(
        kind, severity, ids[:NAMED], first.title, first.colour or "", seen, action,
        first.sha256, first.address,
    )  # fmt: skip
