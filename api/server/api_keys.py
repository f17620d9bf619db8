"""Keys to the server: made, listed, revoked, and looked up by the hash of what a request shows.

A key is 32 random bytes: nobody guesses it, so a plain hash keeps it as safe as a slow one would.
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

Kind = Literal["publishable", "admin"]
KINDS: tuple[Kind, ...] = ("publishable", "admin")
_STARTS: dict[Kind, str] = {"publishable": "lapel_pub_", "admin": "lapel_adm_"}
_ANY = select(KeyRow.id).limit(1)
SHOWN = 16  # letters of a key that lists show: its start and six random ones
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was found."""

    id: int
    kind: Kind


class Keys:
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
        """Make a key useless, at once and for ever. Raises SettingsError."""
        with Session(self._engine, expire_on_commit=False) as session:
            row = session.get(KeyRow, key_id)
            if row is None:
                raise SettingsError(f"no key has the number {key_id}; see `lapel keys list`")
            row.revoked_at = row.revoked_at or datetime.now(UTC)
            session.commit()
            return row

    def any_made(self) -> bool:
        """Tell whether a key was ever made: revoking the last one opens nothing."""
        if not self._was_made:  # what was once made stays so, and need not be asked again
            with self._engine.connect() as sql:
                self._was_made = sql.scalar(_ANY) is not None
        return self._was_made

    def find(self, key: str) -> Key | None:
        """Return the key that a request shows, None when it is not known or revoked."""
        query = select(KeyRow.id, KeyRow.kind).where(
            KeyRow.sha256 == _hash(key), KeyRow.revoked_at.is_(None)
        )
        with Session(self._engine) as session:
            found = session.execute(query).first()
        kind = next((each for each in KINDS if found and each == found.kind), None)
        return Key(found.id, kind) if found and kind else None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
