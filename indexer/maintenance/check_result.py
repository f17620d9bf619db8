"""The result of one check of `lapel doctor`: all is well, repaired, worth knowing, or wrong."""

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "mended", "warning", "wrong"]  # shown by `lapel doctor --json`


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One result of a check. `todo` is empty where there is nothing to do."""

    check: str
    state: State
    detail: str
    todo: str = ""

    def shown(self) -> dict[str, Any]:
        """Return the result as an answer."""
        return {"check": self.check, "state": self.state, "detail": self.detail, "todo": self.todo}


def ok(check: str, detail: str) -> CheckResult:
    """Return that all is well."""
    return CheckResult(check, "ok", detail)


def repaired(check: str, detail: str) -> CheckResult:
    """Return that something was wrong and is not any more."""
    return CheckResult(check, "mended", detail)


def warning(check: str, detail: str, todo: str) -> CheckResult:
    """Return something that does no harm yet."""
    return CheckResult(check, "warning", detail, todo)


def failure(check: str, detail: str, todo: str) -> CheckResult:
    """Return something that must be put right."""
    return CheckResult(check, "wrong", detail, todo)
