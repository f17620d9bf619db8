"""Store what could not be used of an item, until the item is imported again."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from indexer.storage.tables import FaultRow
from indexer.system.batching import SQL_VALUES, batches


@dataclass(frozen=True, slots=True)
class ImportFault:
    """One picture of an item that cannot be used, or (without an address) its whole row."""

    item_id: str
    address: str
    kind: str
    """The error's type: `photo_missing`."""
    detail: str


def replace_faults(
    session: Session, catalogue_id: int, faults: Mapping[str, Sequence[ImportFault]]
) -> None:
    """Store what was found wrong with items just now, in place of what was before."""
    stored = select(FaultRow.item_id).where(
        FaultRow.catalogue_id == catalogue_id, FaultRow.item_id.in_(list(faults))
    )
    before = set(session.scalars(stored))
    now = [fault for each in faults.values() for fault in each]
    if not before and not now:
        return
    forget_faults(session, catalogue_id, before)
    session.add_all(
        FaultRow(
            catalogue_id=catalogue_id,
            item_id=fault.item_id,
            address=fault.address,
            kind=fault.kind,
            detail=fault.detail,
        )
        for fault in now
    )
    session.commit()


def forget_faults(session: Session, catalogue_id: int, item_ids: Collection[str]) -> None:
    """Delete what was found wrong with these items."""
    for some in batches(item_ids, SQL_VALUES):
        session.execute(
            delete(FaultRow).where(
                FaultRow.catalogue_id == catalogue_id, FaultRow.item_id.in_(some)
            )
        )


def stored_faults(session: Session, catalogue_id: int) -> Iterator[ImportFault]:
    """Yield what was found wrong, by item."""
    query = (
        select(FaultRow)
        .where(FaultRow.catalogue_id == catalogue_id)
        .order_by(FaultRow.item_id, FaultRow.id)
        .execution_options(yield_per=1_000)
    )
    for row in session.scalars(query):
        yield ImportFault(row.item_id, row.address, row.kind, row.detail)
