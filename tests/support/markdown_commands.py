"""Read what a reader would type and follow in a page of Markdown: blocks, commands, links.

Shell is read as far as pages need it: comments, continued lines, `NAME=$(...)`, `NAME=value` before
a command, `| jq -r .field`, `> file`, the date. Other shell is nothing to ask of a page's reader.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs/README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page != ROOT / "docs/README.md"),
)
PROGRAMS = ("lapel", "python", "curl", "make", "pip", "docker", "kubectl", "helm", "ray", "git",
            "pg_dump", "pg_restore", "export")  # fmt: skip
TODAY = "2026-01-31"  # what `$(date +%F)` is here
SHELLS = ("sh", "bash", "console")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```[ ]*$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(rf"^    (?:{'|'.join(PROGRAMS)}) .*$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_SET = re.compile(r"^([A-Z_][A-Z0-9_]*)=(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command of a page; `keeps` is the variable that its output goes into, `to` the file."""

    text: str
    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    keeps: str = ""
    picks: str = ""  # which field of its JSON, by `| jq -r .field`
    to: str = ""
    says: str = ""  # the comment behind it

    @property
    def program(self) -> str:
        return self.words[0] if self.words else ""


@dataclass
class Page:
    """One page; `steps` are its commands and blocks of Python as they come."""

    path: Path
    text: str
    steps: list[Command | str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Page":
        page = cls(path, path.read_text("utf-8"))
        if found := _INDENTED.search(page.prose):  # it would be read by people and by no test
            raise ValueError(f"{path}: put {found[0].strip()!r} between ```sh and ```")
        for language, body in _FENCE.findall(page.text):
            if language.strip() == "python":
                page.steps.append(body)
            elif language.strip() in SHELLS or not language.strip():
                page.steps += _commands(body, is_shell=bool(language.strip()))
        return page

    @property
    def prose(self) -> str:
        """What is not in a block."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def spans(self) -> list[str]:
        """What stands as code in the prose, on one line each."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]


def commands_of(page: Page) -> list[Command]:
    return [step for step in page.steps if isinstance(step, Command)]


def _commands(body: str, is_shell: bool) -> Iterator[Command]:
    """Read a block; one without a language holds commands only where it begins with a program."""
    begun = ""
    for line in body.replace("\\\n", " ").splitlines():
        if not begun and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begun = f"{begun} {line.strip()}".strip()
        if is_shell and begun.count("'") % 2:  # quoted JSON goes on in the next line
            continue
        if is_shell or begun.partition(" ")[0] in PROGRAMS:
            yield read_command(begun)
        begun = ""


def read_command(line: str) -> Command:
    """Read one line. Raises ValueError for quotes that do not end."""
    text, says = _without_comment(line.strip().replace("$(date +%F)", TODAY))
    if (match := _SET.match(text)) and match[2].startswith("$("):
        inner = read_command(match[2].removeprefix("$(").removesuffix(")"))
        return replace(inner, text=text, keeps=match[1], says=says)
    words, picks = shlex.split(text), ""
    if words[-4:-1] == ["|", "jq", "-r"]:
        picks, words = words[-1].removeprefix("."), words[:-4]
    to = ""
    if ">" in words:
        at = words.index(">")
        to, words = words[at + 1], words[:at]
    if words[:1] == ["export"]:
        words = words[1:]
    given = []
    while words and (match := _SET.match(words[0])):
        given.append((match[1], match[2]))
        words = words[1:]
    return Command(text, tuple(words), tuple(given), picks=picks, to=to, says=says)


def _without_comment(line: str) -> tuple[str, str]:
    """Part a line from the comment behind it; a `#` within quotes or a word begins none."""
    quote = ""
    for i, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and i and line[i - 1].isspace():
            return line[:i].strip(), line[i + 1 :].strip()
    return line, ""
