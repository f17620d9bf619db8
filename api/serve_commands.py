"""The command that runs the HTTP server."""

import ipaddress
from typing import TYPE_CHECKING, Annotated

import typer

from api.terminal import say
from indexer.errors import SettingsError

if TYPE_CHECKING:
    from indexer.settings import Settings

commands = typer.Typer(rich_markup_mode=None)
MOST_CONNECTIONS = 200  # more are answered 503 at once
STOP_S = 20  # for requests in work when the server is stopped


@commands.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to bind to; without keys, this machine's own only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Serve searches over HTTP, and the page at /."""
    check_binding(context.obj, host)
    import uvicorn

    from api.app import create_app

    app = create_app(context.obj)
    say("loading models")
    shown = f"[{host}]" if ":" in host else host
    say(f"the page is at http://{shown}:{port}/ once the models are loaded; Ctrl-C stops")
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="info",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
    )


def check_binding(settings: "Settings", host: str) -> None:
    """Refuse to be reached by others as long as no key was made. Raises SettingsError."""
    from api.keys import Keys
    from indexer.database import open_engine

    engine = open_engine(settings.resolved_database_url, create=True)
    try:
        if is_loopback(host) or Keys(engine).any_made():
            return
    finally:
        engine.dispose()
    raise SettingsError(
        f"no key was made, so the server binds to this machine's own address only, not to {host}; "
        "make one with `lapel keys make admin`, or leave --host away"
    )


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
