"""What the pages say is true: options, requests, links, files and settings exist.

A new page is read by itself. Its commands run in test_pages_run.py, or stand in UNRUN of
tests/support/page_runs.py with the reason why they do not; their options are checked here.
"""

import importlib
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main

from api.app import create_app
from api.cli.main import app
from api.schemas.problems import STATUSES, ServerError
from api.server.limits import Limits
from indexer.errors import LapelError
from indexer.settings import Settings
from tests.support.docs_sandbox import help_of
from tests.support.markdown_commands import PAGES, ROOT, Command, Page, commands_of, read_command

READ = [Page.read(path) for path in PAGES]
NAMES = [str(page.path.relative_to(ROOT)) for page in READ]
ERRORS = ROOT / "docs/reference/errors.md"
NEVER_SEEN: frozenset[str] = frozenset()
SPAN = re.compile(r"`(\w+)`")
FOLDERS = ("api", "benchmarks", "deploy", "docs", "indexer", "search", "tests", "training")


@pytest.mark.parametrize("page", READ, ids=NAMES)
def test_options_exist(page: Page) -> None:
    """Also of what is not run, and of commands within the prose."""
    inline = [read_command(span) for span in page.spans if is_command(span)]
    for command in (*commands_of(page), *inline):
        if command.program == "lapel":
            check_lapel(command)
        elif command.words[:2] == ("python", "-m"):
            check_module(command)


def is_command(span: str) -> bool:
    return span.startswith(("lapel ", "python -m ")) and "|" not in span and "..." not in span


def check_lapel(command: Command) -> None:
    """Follow the words to the command they name, and look for its options."""
    node = typer.main.get_command(app)
    words = list(command.words[1:])
    while words:
        word = words.pop(0)
        known = {o for param in node.params for o in (*param.opts, *param.secondary_opts)}
        below = getattr(node, "commands", None)  # of Typer's own click, which is not ours to name
        if word in ("--home", "--catalogue") and below:
            words.pop(0)
        elif word.startswith("--"):
            assert word.partition("=")[0] in known | {"--help"}, f"{command.text}: no {word}"
        elif below:
            assert word in below, f"{command.text}: lapel has no command {word!r}"
            node = below[word]


def check_module(command: Command) -> None:
    """Look for the module, and for its options in what it says of itself."""
    module = command.words[2]
    assert importlib.util.find_spec(module) is not None, f"{command.text}: no module {module}"
    options = [word.partition("=")[0] for word in command.words[3:] if word.startswith("--")]
    if options:
        said = options_of(module)
        missing = [option for option in options if option not in said]
        assert not missing, f"{command.text}: {module} has no {', '.join(missing)}"


@cache
def options_of(module: str) -> frozenset[str]:
    """Return a module's options: without running it where its source names them plainly."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    named = re.findall(r'add_argument\(\s*"(--[\w-]+)"', Path(spec.origin).read_text("utf-8"))
    return frozenset(named) or frozenset(re.findall(r"--[\w-]+", help_of(("-m", module))))


@pytest.mark.parametrize("page", READ, ids=NAMES)
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"https?:|mailto:", link):
            continue
        name, _, heading = link.partition("#")
        target = page.path if not name else (page.path.parent / name).resolve()
        assert target.exists(), f"{page.path.name}: {link} leads nowhere"
        if heading:
            assert heading in anchors(target), f"{page.path.name}: {link} names no heading"


@pytest.mark.parametrize("page", READ, ids=NAMES)
def test_files_and_settings_that_are_named_exist(page: Page) -> None:
    settings = {f"LAPEL_{name.upper()}" for name in (*Settings.model_fields, *Limits.model_fields)}
    settings |= {"LAPEL_SHARED"}  # read by training/ and benchmarks/
    for name in set(re.findall(r"\bLAPEL_[A-Z0-9_]+\b", page.text)):
        is_family = name.endswith("_") and any(each.startswith(name) for each in settings)
        assert name in settings or is_family, f"{page.path.name}: no setting {name}"
    for span in page.spans:
        if re.fullmatch(
            r"(indexer|search|api|training|benchmarks|tests|docs|deploy)/[\w./*-]+", span
        ):
            assert list(ROOT.glob(span)), f"{page.path.name}: no file {span}"


def test_every_request_and_error_is_described(tmp_path: Path) -> None:
    text = "\n".join(page.text for page in READ)
    for path, operations in create_app(Settings(home=tmp_path)).openapi()["paths"].items():
        for method in operations:
            plain = path.replace("{item_id:path}", "{item_id}")
            assert f"`{method.upper()} {plain}`" in text, f"no page has {method.upper()} {plain}"
    missing = {type_of(kind) for kind in (*STATUSES, *below(ServerError))} - set(SPAN.findall(text))
    assert not missing, f"no page tells of {', '.join(sorted(missing))}"


def test_every_error_is_in_the_troubleshooting_page() -> None:
    for folder in ("indexer", "search", "api"):  # an error is known once its module is imported
        for path in (ROOT / folder).rglob("*.py"):
            if re.search(r"^class \w+\(", text := path.read_text("utf-8"), re.MULTILINE):
                names = (each.__name__ for each in (LapelError, *below(LapelError)))
                if re.search(rf"^class \w+\(({'|'.join(names)})\):", text, re.MULTILINE):
                    importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    listed = set(re.findall(r"^\| `(\w+)` \|", ERRORS.read_text("utf-8"), re.MULTILINE))
    problems = (ROOT / "api/schemas/problems.py").read_text("utf-8")
    codes = set(re.findall(r'problem\(\d+, "(\w+)"', problems))
    of_product = ("indexer.", "search.", "api.")  # benchmarks and tests may have loaded others
    kinds = [kind for kind in below(LapelError) if kind.__module__.startswith(of_product)]
    types = {type_of(kind) for kind in kinds} - NEVER_SEEN
    others = {"row_error", "not_found", "method_not_allowed"}
    assert len(codes) >= 4
    assert listed == types | codes | others


def type_of(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def below(kind: type) -> Iterator[type]:
    """Return what is derived from a class, itself not."""
    derived: list[type] = kind.__subclasses__()
    for each in derived:
        yield each
        yield from below(each)


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in Page.read(index).links}
    assert set(PAGES) - {index} <= linked


def test_the_design_page_names_every_folder() -> None:
    design = (ROOT / "docs/design.md").read_text("utf-8")
    for house in ("indexer", "search", "api"):
        tree = re.search(rf"^{house}/ .*?(?=^\S)", design, re.MULTILINE | re.DOTALL)
        assert tree is not None
        folders = {path.parent.name for path in (ROOT / house).glob("*/__init__.py")}
        assert folders - {"web"} <= set(re.findall(r"^  (\w+)/", tree[0], re.MULTILINE)), house


def test_pages_that_code_names_exist() -> None:
    """Also in YAML, the Makefile, model cards and other texts of the repository."""
    for path in tracked_texts():
        for name in re.findall(
            r"(?<![\w./])docs/[\w./-]+\.(?:md|jpg|svg)\b", path.read_text("utf-8")
        ):
            assert (ROOT / name).exists(), f"{path.relative_to(ROOT)}: no file {name}"


def tracked_texts() -> Iterator[Path]:
    kinds = (
        "*.py",
        "*.md",
        "*.toml",
        "*.y*ml",
        "*.tsv",
        "*.html",
        "*.j2",
        "Makefile",
        "Dockerfile",
    )
    for folder in FOLDERS:
        yield from (path for kind in kinds for path in (ROOT / folder).rglob(kind))
    yield from (path for kind in kinds for path in ROOT.glob(kind))


def test_pictures_are_small() -> None:
    pictures = [*ROOT.glob("docs/*.jpg"), *ROOT.glob("docs/pictures/*")]
    assert all(path.stat().st_size <= 200_000 for path in pictures)
    assert sum(path.stat().st_size for path in (ROOT / "docs/pictures").glob("*")) <= 1_500_000


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


# The tests' own reading of pages.


def test_a_command_is_read_as_a_shell_would() -> None:
    command = read_command("A=1 B='x y' lapel search --text 'a # b' > out.json   # 409: why")
    assert command.words == ("lapel", "search", "--text", "a # b")
    assert command.variables == (("A", "1"), ("B", "x y"))
    assert (command.to, command.says) == ("out.json", "409: why")
    kept = read_command("KEY=$(lapel keys make admin)")
    assert (kept.keeps, kept.words) == ("KEY", ("lapel", "keys", "make", "admin"))


def test_blocks_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "See `lapel stats`.\n```sh\ncurl a \\\n  b\n# no\n```\n```\nno command\nlapel stats\n```\n"
        "```python\nx = 1\n```\n"
    )
    read = Page.read(page)
    assert [getattr(step, "words", step) for step in read.steps] == [
        ("curl", "a", "b"), ("lapel", "stats"), "x = 1\n",
    ]  # fmt: skip
    assert read.spans == ["lapel stats"]


@pytest.mark.parametrize(
    "text", ["lapel serch photo.jpg", "lapel search --kk 3", "lapel models ls"]
)
def test_a_command_that_does_not_exist_is_found(text: str) -> None:
    with pytest.raises(AssertionError):
        check_lapel(read_command(text))
