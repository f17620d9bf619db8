"""Train attribute heads on a shop's own labels, and group the commands of training."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from api.cli.train_encoder import train_encoder
from api.console.terminal import FAILED, Json, emit, load_describer, say
from indexer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from indexer.description.describe import Describer
    from indexer.finetuning.head_report import HeadScore
    from indexer.finetuning.head_training import CurvePoint, LabelledEmbeddings
    from indexer.models.attribute_heads import AttributeHeads
    from indexer.settings import Settings

commands = typer.Typer(rich_markup_mode=None)
train = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Train on your own labels or photos."
)
commands.add_typer(train, name="train")
train.command("encoder")(train_encoder)


@train.command("attributes")
def train_attributes(
    context: typer.Context,
    labels: Annotated[
        Path,
        typer.Argument(
            help="CSV: photo, one column an attribute, and if you like slot and group.",
            metavar="LABELS.csv",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the heads [attributes in the home].")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 600,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 0,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Also keep heads that are no better than a guess.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train attribute heads on the encoder's features: minutes, no GPU.

    Several values of one attribute are separated by `|`. Writes the heads, a report, a confusion
    matrix for each exclusive attribute and the learning curve.
    """
    from indexer.finetuning.head_report import keep_clear, measure
    from indexer.finetuning.head_training import train_heads
    from indexer.models.attribute_heads import AttributeHeads

    describer, data, failed = _described(labels, context.obj)
    trained, curve = train_heads(data, steps, seed)
    scores = measure(trained, data)
    heads = trained if keep_all else keep_clear(trained, scores)
    others = [head for head in describer.models.heads.heads if head.name not in _names(heads)]
    folder = out or context.obj.home / "attributes"
    _write(folder, AttributeHeads([*heads.heads, *others]), trained, data, scores, curve)
    _tell(folder, heads, scores, keep_all, as_json)
    if failed:
        say(f"{len(failed)} of {len(failed) + len(data.embeddings)} photos were skipped")
        raise typer.Exit(FAILED)


def _described(
    labels: Path, settings: "Settings"
) -> "tuple[Describer, LabelledEmbeddings, list[str]]":
    """Read the labels and describe their photos; also say what is wrong with some of them."""
    from indexer.finetuning.label_table import describe_labels, read_labels, too_rare

    rows = read_labels(labels)
    for name, words in too_rare(rows).items():
        say(f"{name}: too few photos of {', '.join(words)}; counted as missing")
    describer = load_describer(settings)
    failed: list[str] = []
    with tqdm(total=len(rows), desc="describe", unit="photo", file=sys.stderr) as bar:
        data = describe_labels(rows, describer, failed.append, bar.update)
    for message in failed:
        say(message)
    return describer, data, failed


def _names(heads: "AttributeHeads") -> set[str]:
    return {head.name for head in heads.heads}


def _write(
    folder: Path,
    heads: "AttributeHeads",
    trained: "AttributeHeads",
    data: "LabelledEmbeddings",
    scores: "Sequence[HeadScore]",
    curve: "Sequence[CurvePoint]",
) -> None:
    """Write the heads, the report and the pictures into one folder."""
    from indexer.finetuning.head_report import draw_confusion, draw_curve, report_text

    heads.save(folder)
    draw_confusion(trained, data, folder)
    draw_curve(curve, folder / "learning-curve.png")
    (folder / "report.md").write_text(report_text(heads, data, scores), "utf-8")


def _tell(
    folder: Path,
    heads: "AttributeHeads",
    scores: "Sequence[HeadScore]",
    keep_all: bool,
    as_json: bool,
) -> None:
    """Print the scores, what was left out, and how the engine takes the heads up."""
    from indexer.finetuning.head_report import to_table

    if as_json:
        emit({"folder": str(folder), "heads": [score.as_json() for score in scores]})
    else:
        typer.echo(to_table(scores))
    unclear = [score.name for score in scores if not score.is_clear]
    if unclear and not keep_all:
        names = ", ".join(unclear)
        say(f"left out, no better than a constant answer: {names}; --keep-all keeps them")
    say(f"wrote {folder}")
    if not heads.heads:
        raise ModelError("no head is clearly better than a constant answer; label more photos")
    say(
        f"use them: export LAPEL_ATTRIBUTES={folder}\n"
        "then `lapel reembed` brings a catalogue that was indexed with other heads up to date"
    )
