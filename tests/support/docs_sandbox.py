"""A folder with all that the pages name, and their commands run in it as a reader would."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner

from api.cli.main import app
from indexer.catalogue.catalogue import Catalogue
from indexer.models.loading import Models
from indexer.sample import image_link, views_of
from indexer.settings import Settings
from tests.page.browsing import serve
from tests.support.markdown_commands import Command
from tests.support.sample_shop import Shop

ITEMS = 16  # of the shop: four of each slot, so that what embeds all of them takes seconds
PORT = "127.0.0.1:8000"
GOOD = ("200", "201", "202", "204")
PATIENCE = 120  # half seconds until an import must be done
_VARIABLE = re.compile(r"\$\{?([A-Z_]+)\}?")


@dataclass
class Desk:
    """The folder of one page, and what its commands set."""

    folder: Path
    models: Models
    stands_for: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    address: str = ""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, command: Command) -> None:
        """Run a command; fails the test where a reader would see it fail."""
        self.variables |= dict(command.variables) if not command.words else {}
        if not command.words:
            return
        words = [self.filled(word) for word in command.words]
        variables = {name: self.filled(value) for name, value in command.variables}
        with changed(self.variables | variables):
            said = self._curl(words, command) if words[0] == "curl" else _lapel(words, command)
        if command.picks:
            said = str(json.loads(said)[command.picks])
        if command.keeps:
            self.variables[command.keeps] = said.strip()
        if command.to:
            (self.folder / self.filled(command.to)).write_text(said, "utf-8")

    def filled(self, word: str) -> str:
        """Return a word with what stands for its placeholders and variables."""
        for name, value in self.stands_for.items():
            word = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w])", lambda _, v=value: v, word)  # type: ignore[misc]
        known = {**os.environ, **self.variables}
        return _VARIABLE.sub(lambda match: known.get(match[1], ""), word)

    def _curl(self, words: list[str], command: Command) -> str:
        assert PORT in " ".join(words), f"{command.text}: asks another server than {PORT}"
        words = [word.replace(PORT, self.address) for word in words]
        wanted = re.match(r"\d{3}\b", command.says)
        expected = (wanted[0],) if wanted else GOOD
        tries = PATIENCE if "when it is done" in command.says else 1
        for _ in range(tries):
            status, answer = _ask(words, command)
            if status in expected:
                return answer
            time.sleep(0.5)
        raise AssertionError(f"{command.text}: {status} {answer[:500]}")


def _ask(words: list[str], command: Command) -> tuple[str, str]:
    code = ["--silent", "--show-error", "--write-out", "\n%{http_code}"]
    done = subprocess.run([*words, *code], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command.text}: {done.stderr.decode()}"
    answer, _, status = done.stdout.decode("utf-8", "replace").rpartition("\n")
    return status, answer


def _lapel(words: list[str], command: Command) -> str:
    assert words[0] == "lapel", f"{command.text}: run it, or list it in UNRUN with the reason"
    done = CliRunner().invoke(app, words[1:])
    told = f"{command.text}: exit {done.exit_code}\n{done.stderr[-1500:]}"
    if done.exception and not isinstance(done.exception, SystemExit):
        raise AssertionError(told) from done.exception
    assert done.exit_code == 0, told
    return done.stdout


@contextmanager
def changed(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def lay_out(folder: Path, shop: Shop, small: Path, street: Path, tiny: Path) -> dict[str, str]:
    """Put what the pages name into a folder; return what stands for their placeholders."""
    shutil.copytree(small, folder / "home")
    (folder / "demo").mkdir()
    (folder / "demo" / "home").symlink_to(folder / "home")
    # What an import reads must lie in its folder: a link out of it is refused.
    shutil.copytree(shop.folder, folder / "home/import/pictures")
    (folder / "shop").mkdir()
    for link in ("pictures", "shop/images", "demo/shop"):
        (folder / link).symlink_to(shop.folder)
    for feed in ("feed.tsv", "home/import/feed.tsv"):
        write_feed(folder / feed, shop)
    for name in ("street.jpg", "photo.jpg"):
        shutil.copy(street, folder / name)
    items = shop.items[: ITEMS * 2]
    rows = [f"pictures/{image_link(i, views_of(i)[1])},{i.slot},{i.slot}" for i in shop.items]
    (folder / "LABELS.csv").write_text("\n".join(["photo,slot,part", *rows]) + "\n", "utf-8")
    photos = ["code,label,front,back,stoff"]
    for item in items[:3]:
        front, back = (f"pictures/images/{item.item_id}_{view}.jpg" for view in ("worn", "flat"))
        photos.append(f"own-{item.item_id},{item.title},{front},{back},linen")
    (folder / "shop.csv").write_text("\n".join(photos) + "\n", "utf-8")
    picture = (shop.folder / "images" / f"{items[0].item_id}_flat.jpg").read_bytes()
    photos_base64 = [base64.b64encode(picture).decode()]
    sent = [{"item_id": name, "title": "Shirt", "photos_base64": photos_base64}
            for name in ("sku-1", "sku-2")]  # fmt: skip
    (folder / "items.json").write_text(json.dumps({"items": sent}), "utf-8")
    return {
        "ITEM_ID...": items[-1].item_id,
        "ITEM_ID": items[0].item_id,
        "FEED": "feed.tsv",
        "FILE": "kept.tar",
        "FOLDER": str(folder / "folder"),
        "HOME": "home",
        "PHOTO": "photo.jpg",
        "NAME": f"local-dir:{tiny}",
        "/backups": str(folder),
        "lapel-2025-06-01.tar": "lapel-2026-01-31.tar",
    }


def write_feed(path: Path, shop: Shop) -> None:
    """Write the shop's feed with as many items as the small home has."""
    head, *rows = shop.feed.read_text("utf-8").splitlines()
    path.write_text("\n".join([head, *rows[:ITEMS]]) + "\n", "utf-8")


def small_home(shop: Shop, folder: Path) -> Path:
    """Return a copy of the shop's home with some of its items."""
    home = Path(shutil.copytree(shop.home, folder / "home"))
    catalogue = Catalogue.open(Settings(home=home))
    catalogue.delete([item.item_id for item in shop.items[ITEMS:]])
    catalogue.engine.dispose()
    return home


@contextmanager
def served(desk: Desk) -> Iterator[None]:
    """Serve the desk's home while the block runs."""
    with serve(desk.home, desk.models) as server:
        desk.address = server.address.removeprefix("http://")
        yield


def help_of(words: tuple[str, ...]) -> str:
    """Return what `--help` says of a module of this repository."""
    done = subprocess.run(
        [sys.executable, *words, "--help"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{' '.join(words)} --help: {done.stderr[-500:]}"
    return done.stdout
