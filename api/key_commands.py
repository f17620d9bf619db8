"""The commands that make, list and revoke the HTTP server's keys."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.console.terminal import Json, emit, say

if TYPE_CHECKING:
    from api.server.api_keys import Keys

commands = typer.Typer(rich_markup_mode=None)
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Keys to the HTTP server.")
commands.add_typer(keys, name="keys")


@keys.command("make")
def make(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="publishable (search) or admin (writes, too).")],
    name: Annotated[str, typer.Option(help="For whom it is, for `keys list`.")] = "unnamed",
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
    key_id: Annotated[int, typer.Argument(help="Its number in `keys list`.")],
) -> None:
    """Make a key useless; a running server refuses it from the next request on."""
    row = _keys(context).revoke(key_id)
    say(f"key {row.id} ({row.kind}, {row.name}) is revoked")


def _keys(context: typer.Context) -> "Keys":
    from api.server.api_keys import Keys
    from indexer.storage.database import open_engine

    return Keys(open_engine(context.obj.resolved_database_url, create=True))
