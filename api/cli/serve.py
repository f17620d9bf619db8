"""Run the HTTP server, in one process or several; make, list and revoke its keys."""

import ipaddress
import os
import tempfile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.console.terminal import Json, emit, say
from indexer.errors import SettingsError

if TYPE_CHECKING:
    from api.server.api_keys import ApiKeys
    from indexer.settings import Settings

commands = typer.Typer(rich_markup_mode=None)
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Keys to the HTTP server.")
commands.add_typer(keys, name="keys")
MOST_CONNECTIONS = 200  # more are answered 503 at once
WORKER = "api.app:create_worker"  # processes import what they serve
# A worker that is silent for so long is restarted. It is silent while it imports and loads models:
# uvicorn's own five seconds would kill workers on a busy machine again and again.
SILENT_S = 120
STOP_S = 20  # for requests in work when the server is stopped


@commands.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to bind to; without keys only this machine's own.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes, which share the cores.")
    ] = 1,
) -> None:
    """Serve searches over HTTP, and the page at /."""
    check_binding(context.obj, host)
    say("loading models")
    shown = f"[{host}]" if ":" in host else host
    say(f"the page is at http://{shown}:{port}/ once the models are loaded; Ctrl-C stops")
    options = {
        "host": host,
        "port": port,
        "log_level": "info",
        "limit_concurrency": MOST_CONNECTIONS,
        "timeout_graceful_shutdown": STOP_S,
        "server_header": False,
    }
    if workers == 1:
        _serve_here(context.obj, options)
    else:
        _serve_by_workers(context.obj, options, workers)


def _serve_here(settings: "Settings", options: dict[str, Any]) -> None:
    import uvicorn

    from api.app import create_app

    uvicorn.run(create_app(settings), **options)


def _serve_by_workers(settings: "Settings", options: dict[str, Any], workers: int) -> None:
    """Start processes that take requests from one socket; one that dies is started again."""
    import uvicorn

    from indexer.system.devices import usual_threads

    os.environ["LAPEL_HOME"] = str(settings.home)
    os.environ["LAPEL_CATALOGUE"] = settings.catalogue
    if not settings.threads:
        # Each with all cores would be several times as many threads as there are cores.
        os.environ["LAPEL_THREADS"] = str(max(1, usual_threads() // workers))
    with tempfile.TemporaryDirectory(prefix="lapel-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            WORKER,
            factory=True,
            workers=workers,
            timeout_worker_healthcheck=SILENT_S,
            **options,
        )


def check_binding(settings: "Settings", host: str) -> None:
    """Refuse an address that others reach as long as no key was made. Raises SettingsError."""
    from api.server.api_keys import ApiKeys
    from indexer.storage.database import open_engine

    engine = open_engine(settings.resolved_database_url, create=True)
    try:
        if is_loopback(host) or ApiKeys(engine).any_made():
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


@keys.command("make")
def make(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="publishable (search) or admin (writes, too).")],
    name: Annotated[str, typer.Option(help="Name of the key's user, for `keys list`.")] = "unnamed",
) -> None:
    """Make a key and print it: it is stored as a hash, and cannot be shown again."""
    key = _keys(context).make(kind, name)
    say("keep it: it is not shown again. From now on every request needs a key")
    typer.echo(key)


@keys.command("list")
def list_keys(context: typer.Context, as_json: Json = False) -> None:
    """List the keys by their first letters, revoked ones too."""
    for row in _keys(context).rows():
        shown = {
            "id": row.id,
            "kind": row.kind,
            "name": row.name,
            "start": row.start,
            "created_at": row.created_at.isoformat(timespec="seconds"),
            "revoked_at": row.revoked_at and row.revoked_at.isoformat(timespec="seconds"),
        }
        if as_json:
            emit(shown)
        else:
            state = "revoked" if row.revoked_at else "valid"
            typer.echo(f"{row.id:<4} {row.kind:12} {row.start}...  {state:8} {row.name}")


@keys.command("revoke")
def revoke(
    context: typer.Context,
    key_id: Annotated[int, typer.Argument(help="Number of the key in `keys list`.")],
) -> None:
    """Revoke a key; a running server refuses it from the next request on."""
    row = _keys(context).revoke(key_id)
    say(f"key {row.id} ({row.kind}, {row.name}) is revoked")


def _keys(context: typer.Context) -> "ApiKeys":
    from api.server.api_keys import ApiKeys
    from indexer.storage.database import open_engine

    return ApiKeys(open_engine(context.obj.resolved_database_url, create=True))
