"""The version is the same everywhere, and the packages carry their types."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    headings = [
        line.removeprefix("## ").split()[0].strip("[]")
        for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
        if line.startswith("## ")
    ]
    assert headings[0] in {"Unreleased", PROJECT["project"]["version"]}
    if headings[0] == "Unreleased":
        assert headings[1] == PROJECT["project"]["version"]


@pytest.mark.parametrize("package", ["indexer", "search", "api"])
def test_packages_carry_their_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][package]
