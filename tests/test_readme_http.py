"""The README's curl commands, run as they stand there against a real server."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.models import Models
from tests.conftest import Shop
from tests.page.browsing import serve

README = Path(__file__).parents[1] / "README.md"
PORT = "127.0.0.1:8000"


def curl_commands(text: str) -> list[str]:
    """Return the commands of the first block of shell under the HTTP heading."""
    block = re.search(r"^\*\*HTTP\.\*\*.*?^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    if block is None:
        return []
    lines = block[1].replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


COMMANDS = curl_commands(README.read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(shop: Shop, street_photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("readme")
    shutil.copytree(shop.home, made / "home")
    shutil.copy(street_photo, made / "street.jpg")
    return made


@pytest.fixture(scope="module")
def address(folder: Path, models: Models) -> Iterator[str]:
    with serve(folder / "home", models) as served:
        yield served.address.removeprefix("http://")


def test_commands_are_found_in_the_heading_s_block_only() -> None:
    text = "```sh\ncurl no\n```\n**HTTP.** Say\n\n```sh\nlapel serve\ncurl a \\\n  b\n# {}\n```\n"
    assert [command.split() for command in curl_commands(text)] == [["curl", "a", "b"]]


def test_the_readme_shows_requests() -> None:
    assert len(COMMANDS) >= 4


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs: apt-get install curl")
@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, address: str, folder: Path) -> None:
    assert PORT in command
    words = shlex.split(command.replace(PORT, address))
    done = subprocess.run(
        [*words, "--silent", "--show-error", "--write-out", "\n%{http_code}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answer, _, status = done.stdout.rpartition("\n")
    assert status == "200", answer
    assert isinstance(json.loads(answer), dict)
