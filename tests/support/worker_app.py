"""The application of a small catalogue that worker processes import, set by variables.

Run as a program it starts two of them.
"""

import sys
from typing import Any

from fastapi import FastAPI

from api.app import create_app
from api.cli import serve as serve_commands
from api.server.limits import Limits
from indexer.settings import Settings
from tests.support.small_catalogue import dots


def create() -> FastAPI:
    """Return the application, with models that load in no time."""
    return create_app(Settings(), Limits(rate_per_minute=0), load=lambda settings: dots(1).models)


def main() -> None:
    """Serve on the port given, until killed."""
    options: dict[str, Any] = {"host": "127.0.0.1", "port": int(sys.argv[1]), "log_level": "error"}
    serve_commands.WORKER = "tests.support.worker_app:create"
    serve_commands._serve_by_workers(Settings(), options, 2)


if __name__ == "__main__":
    main()
