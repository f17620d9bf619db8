"""Rows of feeds as an attacker would write them: SQL, paths, formulas, control characters."""

from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("id", "title", "image_link", "brand", "price", "color", "note")
PICTURE = "good.png"
# What no item may be changed, lost or found by.
WORDS: Mapping[str, str] = {
    "sql": "'; DROP TABLE item; --",
    "sql-or": "x' OR '1'='1",
    "sql-union": 'x" UNION SELECT * FROM api_key --',
    "sql-like": "100%_%",
    "formula": "=cmd|' /C calc'!A0",
    "formula-plus": "+1+1|'x'",
    "formula-at": "@SUM(A1:A9)",
    "formula-minus": "-2+3",
    "formula-space": "  =1+1",
    "script": "<script>alert(1)</script>",
    "template": "{{7*7}} ${7*7} #{7*7} %(x)s {0}",
    "shell": "$(touch owned) `touch owned` ; touch owned",
    "terminal": "a\x1b]0;owned\x07\x1b[2Jb",
    "right-to-left": "shirt \u202egpj.exe",
    "zero-width": "a\u200b\u2060\ufeffb",
    "zalgo": "Z" + "\u0300\u0301\u0302" * 300,
    "emoji": "\U0001f457" * 50,
    "surrogate": "a\ud800b",
    "zero": "a\0b",
    "number": "9" * 400,
    "path": "../../../etc/passwd",
    "json": '{"$ne": null}',
    "link": "javascript:alert(1)",
    "long": "x" * 100_000,
}
# Where no picture may be taken from, whatever lies there.
ADDRESSES = (
    "../../../../../../etc/passwd", "/etc/passwd", "pictures/../../secret.png", "..%2fsecret.png",
    "file:///etc/passwd", "file://server/share/a.png", "FILE:/etc/passwd", "file:secret.png",
    "http://127.0.0.1/a.png", "http://[::1]/a.png", "http://0x7f000001/a.png", "http://[",
    "http://2130706433/", "http://169.254.169.254/latest/meta-data/", "http://user:pass@127.0.0.1/",
    "http://", "http://127.0.0.1:99999/", "ftp://127.0.0.1/a.png", "gopher://127.0.0.1/",
    "javascript:alert(1)", "data:image/png;base64,AAAA", "\\\\server\\share\\a.png",
    "C:\\Windows\\win.ini", "~/secret.png", "$HOME/secret.png", "|cat /etc/passwd",
    "none\x1b[2J.png", "a" * 5_000, ".", "..", "/", "-", "/dev/zero", "/proc/self/environ", "://",
    "unknown://a/b.png",
)  # fmt: skip


def write_feed(path: Path) -> tuple[list[str], list[str]]:
    """Write a TSV; returns the ids of items that have a picture, and of those that have none."""
    rows, good, bad = [], [], []
    for name, words in WORDS.items():
        plain = words.replace("\t", " ")
        good.append(name)
        rows.append([name, plain, PICTURE, plain, "5 EUR", plain, plain])
    for number, address in enumerate(ADDRESSES):
        bad.append(f"={number}")
        rows.append([f"={number}", "Shirt", address, "", "", "", ""])
    rows.append(["'; DELETE FROM item; --", "Shirt", PICTURE, "", "", "", ""])
    good.append("'; DELETE FROM item; --")
    rows.append(["cell", "y" * 10_000_001, PICTURE, "", "", "", ""])  # over 10 MB: a bad row
    rows.append(["cell-9", "y" * 9_000_000, PICTURE, "", "", "", ""])
    good.append("cell-9")
    rows.append(["wide", *["z"] * 20_000])
    lines = ["\t".join(COLUMNS), *("\t".join(row) for row in rows)]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n")
    return good, bad


def write_wide_feed(path: Path, columns: int) -> None:
    """Write a CSV of very many columns, one row."""
    names = ["id", "title", "image_link", *(f"c{i}" for i in range(columns))]
    cells = ["wide", "Shirt", PICTURE, *(str(i) for i in range(columns))]
    path.write_text(",".join(names) + "\n" + ",".join(cells) + "\n", "utf-8")
