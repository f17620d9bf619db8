"""Make, list, revoke and look up the server's keys, of which the database holds hashes only.

A key is 32 random bytes, which cannot be guessed: a plain hash protects it as well as a slow one.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from indexer.errors import SettingsError
from indexer.storage.tables import KeyRow

KeyKind = Literal["publishable", "admin"]
KINDS: tuple[KeyKind, ...] = ("publishable", "admin")
_STARTS: dict[KeyKind, str] = {"publishable": "lapel_pub_", "admin": "lapel_adm_"}
_ANY = select(KeyRow.id).limit(1)
SHOWN = 16  # letters of a key that lists show: its start and six random ones
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A valid key."""

    id: int
    kind: KeyKind


class ApiKeys:
    """The keys in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._was_made = False

    def make(self, kind: str, name: str) -> str:
        """Store a new key and return it: it cannot be read again. Raises SettingsError."""
        known = next((each for each in KINDS if each == kind), None)
        if known is None:
            raise SettingsError(f"no kind of key {kind!r}; one of {', '.join(KINDS)}")
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise SettingsError(f"a key's name has 1 to {MAX_NAME} printable letters")
        key = _STARTS[known] + secrets.token_urlsafe(32)
        with Session(self._engine) as session:
            session.add(KeyRow(kind=kind, name=name, start=key[:SHOWN], sha256=_hash(key)))
            session.commit()
        return key

    def rows(self) -> list[KeyRow]:
        """Return all keys, revoked ones too, oldest first."""
        with Session(self._engine, expire_on_commit=False) as session:
            return list(session.scalars(select(KeyRow).order_by(KeyRow.id)))

    def revoke(self, key_id: int) -> KeyRow:
        """Make a key useless, at once and for good. Raises SettingsError."""
        with Session(self._engine, expire_on_commit=False) as session:
            row = session.get(KeyRow, key_id)
            if row is None:
                raise SettingsError(f"no key has the number {key_id}; see `lapel keys list`")
            row.revoked_at = row.revoked_at or datetime.now(UTC)
            session.commit()
            return row

    def any_made(self) -> bool:
        """Tell whether a key was ever made: revoking the last one opens nothing."""
        if not self._was_made:  # keys are never deleted, so one yes is enough
            with self._engine.connect() as sql:
                self._was_made = sql.scalar(_ANY) is not None
        return self._was_made

    def find(self, key: str) -> ApiKey | None:
        """Return the key that a request shows; None when it is unknown or revoked."""
        query = select(KeyRow.id, KeyRow.kind).where(
            KeyRow.sha256 == _hash(key), KeyRow.revoked_at.is_(None)
        )
        with Session(self._engine) as session:
            row = session.execute(query).first()
        kind = next((each for each in KINDS if row and each == row.kind), None)
        return ApiKey(row.id, kind) if row and kind else None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
