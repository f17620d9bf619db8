"""The rules of the house, held by code: import direction, lengths of files and functions."""

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("indexer", "search", "api", "migrations", "training", "benchmarks")
MAY_IMPORT = {
    "indexer": {"indexer"},
    "search": {"search", "indexer"},
    "api": {"api", "search", "indexer"},
    "migrations": {"migrations", "indexer"},
    "training": {"training", "api", "search", "indexer"},
    "benchmarks": {"benchmarks", "training", "api", "search", "indexer"},
}
FILES = sorted(p for package in (*PACKAGES, "tests") for p in (ROOT / package).rglob("*.py"))
PRODUCT = [p for p in FILES if p.relative_to(ROOT).parts[0] not in ("migrations", "tests")]
# Packages that users or scripts import from: what they offer is named in `__init__`.
WITH_CODE = {"indexer/feeds", "indexer/sample", "training/sample_shop"}
MANY: dict[str, int] = {}  # folders with more, and the reason
MAX_FILE, MAX_FUNCTION, MAX_MODULES = 400, 40, 16


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names & set(PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= MAX_FILE, f"over {MAX_FILE} lines"
    generated = "versions" in path.parts  # by Alembic, and never edited after a release
    for node in [] if generated else list(ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{node.name} has {length} lines"
    package = path.relative_to(ROOT).parts[0]
    if package in MAY_IMPORT:
        assert imported(tree) <= MAY_IMPORT[package]


def test_folders_are_small_enough_to_read() -> None:
    modules = Counter(
        path.parent.relative_to(ROOT).as_posix() for path in PRODUCT if path.name != "__init__.py"
    )
    full = {folder: n for folder, n in modules.items() if n > MANY.get(folder, MAX_MODULES)}
    assert full == {}


@pytest.mark.parametrize(
    "path",
    [path for path in PRODUCT if path.name == "__init__.py"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_a_package_says_what_it_is_for_and_no_more(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    text = ast.get_docstring(tree) or ""
    sentence, _, more = text.partition("\n\n")
    assert re.fullmatch(r"[^.]{10,}(\.\w[^.]*)*\.", sentence), "one sentence, with a full stop"
    package = path.parent.relative_to(ROOT).as_posix()
    assert len(tree.body) == 1 or package in WITH_CODE, "code belongs into a module"
    assert not more or package in WITH_CODE, "one sentence"


@pytest.mark.parametrize("path", PRODUCT, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_says_what_it_does(path: Path) -> None:
    """Not what goes into it and what comes out of it."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    sentence = re.split(r"\.\s", text)[0]
    assert not re.search(r"\bin, .*\bout\b", sentence, re.DOTALL), sentence


def test_a_class_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in PRODUCT:
        if path.relative_to(ROOT).parts[0] in ("indexer", "search", "api"):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_vague_module_names() -> None:
    vague = {"utils", "helpers", "manager", "common", "base", "misc"}
    assert not [p for p in FILES if p.stem in vague]


def test_nothing_of_the_shared_data_is_in_the_project() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    pictures = [n for n in listed.stdout.split("\0") if n.endswith((".jpg", ".jpeg", ".webp"))]
    assert not [name for name in pictures if not name.startswith("docs/")]


def test_bundled_weights_stay_small() -> None:
    total = sum(p.stat().st_size for p in (ROOT / "indexer" / "weights").rglob("*") if p.is_file())
    assert total <= 45_000_000


def test_importing_the_command_line_loads_no_model_library() -> None:
    heavy = "{'torch', 'ultralytics', 'open_clip', 'faiss', 'sklearn'}"
    code = f"import sys, api.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
