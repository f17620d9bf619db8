"""Write the reference pages of settings and commands from the code: `make docs`."""

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic_settings import BaseSettings

from api.cli.main import app
from api.server.limits import Limits
from indexer.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
MADE = "<!-- Written by `make docs` from {}; do not edit. -->"


def settings_page() -> str:
    """Return the page of all `LAPEL_` variables."""
    made = MADE.format("`indexer/settings.py` and `api/server/limits.py`")
    return f"""# Settings

{made}

Every setting is an environment variable. `lapel --home FOLDER --catalogue NAME` sets the first two
for one command. A value that cannot be used ends the command with exit code 2, and the message
names the setting.

## Every command

{settings_table(Settings)}

## The server

`lapel serve` reads these too. With several workers each worker has limits of its own.

{settings_table(Limits)}

`LAPEL_SHARED` is read by `training/` and `benchmarks/` only: the folder of data sets, by default
`../shared` beside the checkout.
"""


def settings_table(settings: type[BaseSettings]) -> str:
    texts = _texts(settings)
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, field in settings.model_fields.items():
        meaning = " ".join(inspect.cleandoc(texts.get(name, "")).split())
        if not meaning:
            raise ValueError(
                f"{settings.__name__}.{name} has no text below it that says its meaning"
            )
        default = _default(field.get_default(call_default_factory=True))
        kind = _kind(field.annotation) + _bounds(field.metadata)
        lines.append(f"| `LAPEL_{name.upper()}` | {kind} | {default} | {meaning} |")
    return "\n".join(lines)


def _texts(settings: type[BaseSettings]) -> dict[str, str]:
    """Return the text that stands below each field of a class."""
    (definition,) = ast.parse(dedent(inspect.getsource(settings))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: ast.literal_eval(text.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
    }


def _kind(annotation: Any) -> str:
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in members)
    if origin in (Union, UnionType):
        return _kind(next(each for each in members if each is not type(None)))
    if origin is list:
        return "JSON list of texts"
    names: dict[Any, str] = {int: "whole number", float: "number", str: "text", Path: "path"}
    return names[annotation]


def _bounds(metadata: list[Any]) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most"}
    found = [
        f"{word} {getattr(each, name):,}"
        for each in metadata
        for name, word in words.items()
        if hasattr(each, name)
    ]
    return f", {', '.join(found)}" if found else ""


def _default(value: Any) -> str:
    if value in (None, "", []):
        return "unset" if value is None else "empty"
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


def commands_page() -> str:
    """Return the page of all commands with their arguments and options."""
    made = MADE.format("the commands in `api/cli/`")
    parts = [_section(words, command) for words, command in _commands("lapel", _root())]
    return f"""# Commands

{made}

stdout is data, stderr is progress and messages. Exit code 0: all good; 1: some inputs failed, the
others were done; 2: misuse, nothing was done. Options of `lapel` itself stand before the command.

{"".join(parts).strip()}
"""


def _root() -> Any:
    return typer.main.get_command(app)


def _commands(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield a command and those below it, parents first."""
    if not command.hidden:
        yield words, command
        for name, below in sorted(getattr(command, "commands", {}).items()):
            yield from _commands(f"{words} {name}", below)


def _section(words: str, command: Any) -> str:
    context = command.make_context(words, [], resilient_parsing=True)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    below = "COMMAND" if hasattr(command, "commands") else ""
    usage = " ".join(filter(None, [words, "[OPTIONS]", below, *map(_name_of, arguments)]))
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"## {words}", "", text, "", f"```text\n{usage}\n```", ""]
    if records := [each.get_help_record(context) for each in command.params if not each.hidden]:
        lines += ["| argument or option | default | meaning |", "|---|---|---|"]
        lines += [_row(*record) for record in filter(None, records)] + [""]
    return "\n".join(lines) + "\n"


def _name_of(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return str(name if argument.required or "[" in name else f"[{name}]")


def _row(name: str, text: str) -> str:
    """Return a parameter's row; Typer writes its default behind its help."""
    found = re.search(r"\s*\[(?:default: (.*)|(required))\]$", text)
    meaning, default = text, ""
    if found:
        value, _, bounds = (found[1] or found[2]).partition("; ")
        meaning = text[: found.start()] + (f" ({bounds})" if bounds else "")
        default = f"`{value}`" if found[1] else value
    shown = re.sub(r"(?:\.\.\.)? ?<list\[(\w+)\]>", r" <\1>...", name)
    cells = (f"`{shown}`", default, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


PAGES = {REFERENCE / "settings.md": settings_page, REFERENCE / "commands.md": commands_page}


def main() -> None:
    """Write the pages."""
    for path, page in PAGES.items():
        path.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
