"""A text in, a CSV cell out that no spreadsheet takes for a formula.

Feeds come from others, and what they say stands in our CSVs (OWASP, "CSV injection").
"""

import re

_FORMULA = re.compile(r"\s*[=+\-@]|[\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*")


def safe_cell(text: str) -> str:
    """Return the text, behind an apostrophe where a spreadsheet would run it; numbers stay."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
