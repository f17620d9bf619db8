"""Declare the arguments and options that name a feed and say how to read it."""

from pathlib import Path
from typing import Annotated

import typer

FeedArgument = Annotated[Path, typer.Argument(help="Feed file, or folder of photos.")]
Format = Annotated[
    str,
    typer.Option("--format", help="auto, or one of docs/guides/feeds.md, such as google or csv."),
]
Images = Annotated[
    Path | None, typer.Option(help="Folder under which the feed's picture paths lie.")
]
ColumnNames = Annotated[
    list[str] | None, typer.Option("--map", help="A column of the feed: id=ref, photos=front.")
]
