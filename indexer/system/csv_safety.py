"""Escape CSV cells that a spreadsheet would take for a formula.

Feeds come from third parties, and their texts are repeated in our CSVs (OWASP, "CSV injection").
"""

import re

_FORMULA = re.compile(r"\s*[=+\-@]|[\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*")


def safe_cell(text: str) -> str:
    """Return the text, after an apostrophe if a spreadsheet would run it; numbers stay."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
