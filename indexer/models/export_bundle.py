"""Export models as one folder or tar, licences and checksums included, for use offline."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from indexer.errors import ModelError
from indexer.models.registry import (
    ModelDescription,
    RemoteModel,
    setting_for,
    weights_of,
    write_notes,
)
from indexer.system.checksums import write_sums

COPYLEFT = "AGPL-3.0"


def export(models: Sequence[ModelDescription], out: Path) -> Path:
    """Write the models with their licences and hashes to a new folder, or a tar if `out` ends so.

    Written beside and renamed: there is a whole bundle or none. Raises ModelError.
    """
    out = out.absolute()
    if out.exists():
        raise ModelError(f"{out} is there already; name a new folder or .tar, or delete it")
    bare = [model.name for model in models if not model.folder.is_dir()]
    if bare:
        raise ModelError(
            f"{', '.join(bare)} is a file, not a model's folder; bring it in by "
            "`lapel models pull local-dir:FILE` first"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".export-", dir=out.parent))
    try:
        folder = beside / out.name.removesuffix(".tar")
        _write_folder(models, folder)
        if out.suffix == ".tar":
            _write_tar(folder, beside / "bundle.tar").replace(out)
        else:
            folder.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return out


def licence_lines(models: Iterable[ModelDescription | RemoteModel]) -> list[str]:
    """Say for each model what it is, where from, and under which terms."""
    return [f"- {model.name} ({model.kind}): {model.licence}. {model.source}" for model in models]


def _write_folder(models: Sequence[ModelDescription], folder: Path) -> None:
    folder.mkdir()
    settings = []
    for model in models:
        target = folder / model.folder.name
        if model.origin == "bundled":
            target = folder / model.name
        shutil.copytree(model.folder, target, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        said = {"name": model.name, "kind": model.kind, "licence": model.licence}
        write_notes(target, **said, source=model.source)
        place = weights_of(model).relative_to(model.folder)
        settings.append(setting_for(model.kind, f"$PWD/{(target.name / place).as_posix()}"))
    (folder / "README.md").write_text(_readme([each for each in settings if each]), "utf-8")
    lines = "".join(f"{line}\n" for line in licence_lines(models))
    (folder / "LICENCES.md").write_text(f"# Licences of these models\n\n{lines}", "utf-8")
    if any(model.licence.startswith("AGPL") for model in models):
        (folder / f"{COPYLEFT}.txt").write_text(_copyleft_text(), "utf-8")
    write_sums(folder)


def _readme(settings: Sequence[str]) -> str:
    use = f"In this folder: export {' '.join(settings)}" if settings else "Nothing to be set."
    return (
        f"{use}\n"
        "Check: `lapel models verify .`, or `sha256sum -c SHA256SUMS`; terms: LICENCES.md.\n"
    )


def _copyleft_text() -> str:
    """Return the licence's text, which must go with what it covers: it is Lapel's own too."""
    beside = Path(__file__).parents[2] / "LICENSE"  # of a checkout; else of the installed package
    if beside.is_file():
        return beside.read_text("utf-8")
    text = metadata.distribution("lapel").read_text("licenses/LICENSE")
    if not text:
        raise ModelError(
            f"the text of {COPYLEFT} that must go with these models is not installed; "
            "install Lapel from its wheel or a checkout"
        )
    return text


def _write_tar(folder: Path, target: Path) -> Path:
    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        # The same models give the same bytes, whoever exports them and when.
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with target.open("wb") as stream:
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for path in sorted(folder.rglob("*")):
                tar.add(path, path.relative_to(folder.parent).as_posix(), False, filter=plain)
        stream.flush()
        os.fsync(stream.fileno())
    return target
