"""The commands and the Python of the README run: a file of its own, for it takes longest."""

from tests.support.docs_sandbox import Desk
from tests.support.markdown_commands import ROOT, Page
from tests.support.page_runs import run_page


def test_what_the_readme_shows_runs(desk: Desk) -> None:
    run_page(Page.read(ROOT / "README.md"), desk)
