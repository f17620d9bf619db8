"""Pages of which every command runs, or stands in UNRUN with the reason why it does not."""

import re
import shutil

import pytest

from tests.support.docs_sandbox import Desk, served
from tests.support.markdown_commands import Command, Page

# What no test here runs, by the beginning of the command, and why.
UNRUN = {
    r"make [a-z-]+$": "takes minutes; .ci/run and people run it",
    r"pip install|git clone|apt": "needs a network, and changes the environment",
    r"docker |kubectl |helm |minikube |ray ": "needs a cluster",
    r"pg_|psql ": "needs a PostgreSQL server; test_postgres.py has one of its own",
    r"lapel (--home \S+ )?serve\b": "does not end; the pages' requests are sent to such a server",
    r"python -m (benchmarks|training|tests)\.": "takes minutes to hours, some data or a GPU",
    r"lapel (--home \S+ )?(index|sync) .*--engine": "needs a cluster; tests of that engine run it",
    r"lapel tune": "needs a thousand garments; test_effort_tuning.py draws them",
    r"lapel train encoder": "takes minutes; tests of training/ run it on a few photos",
    r"(\S+=\S+ )*LAPEL_(ENCODER|DETECTOR)=(hf-hub:|\S+/laion)": "needs a model hub",
    r"LAPEL_VECTORS_URL=milvus": "needs a Milvus server; test_milvus_client.py asks one",
    r"lapel models pull hf-hub:": "needs a model hub; test_download.py has a copy of one",
}
REASONS = {re.compile(pattern): reason for pattern, reason in UNRUN.items()}


def reason_not_to_run(command: Command) -> str | None:
    return next((why for pattern, why in REASONS.items() if pattern.match(command.text)), None)


def step_asks(step: Command | str) -> bool:
    return isinstance(step, str) and "api.client" in step


def run_all(page: Page, desk: Desk) -> None:
    for step in page.steps:
        if isinstance(step, str):
            code = desk.filled(step).replace("127.0.0.1:8000", desk.address)
            known = {"__name__": "page", **desk.variables}
            exec(compile(code, str(page.path), "exec"), known)  # noqa: S102
        elif reason_not_to_run(step) is None:
            desk.run(step)


def run_page(page: Page, desk: Desk) -> None:
    """Run all that a page shows, beside a server if it asks one."""
    asks = [step for step in page.steps if "127.0.0.1:8000" in str(step) or step_asks(step)]
    uses_curl = any(isinstance(step, Command) and step.program == "curl" for step in asks)
    if uses_curl and shutil.which("curl") is None:
        pytest.skip("needs: apt-get install curl")
    if uses_curl or any(isinstance(step, str) for step in asks):
        with served(desk):
            run_all(page, desk)
    else:
        run_all(page, desk)
