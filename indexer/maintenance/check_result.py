"""What one look at a catalogue found: fine, mended, worth knowing, or wrong with what to do."""

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "mended", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of `lapel doctor`. `todo` is empty where there is nothing to do."""

    check: str
    state: State
    detail: str
    todo: str = ""

    def shown(self) -> dict[str, Any]:
        """Return the finding as an answer."""
        return {"check": self.check, "state": self.state, "detail": self.detail, "todo": self.todo}


def ok(check: str, detail: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", detail)


def mended(check: str, detail: str) -> Finding:
    """Return that something was wrong and is not any more."""
    return Finding(check, "mended", detail)


def warning(check: str, detail: str, todo: str) -> Finding:
    """Return something that does no harm yet."""
    return Finding(check, "warning", detail, todo)


def wrong(check: str, detail: str, todo: str) -> Finding:
    """Return something that must be mended."""
    return Finding(check, "wrong", detail, todo)
