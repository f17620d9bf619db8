"""A cache of models exported to OpenVINO's format, one folder an export.

A folder is named after the model's fingerprint and verified by its checksums at each start. It is
written under another name and then renamed, so that two processes may export at once.
"""

import json
import secrets
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from indexer.errors import ModelError
from indexer.system.atomic_files import write_whole
from indexer.system.checksums import check_sums, write_sums

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1  # of the cache; a higher one leaves all older exports unread
XML = "model.xml"  # beside it OpenVINO writes model.bin, the weights


@dataclass(frozen=True, slots=True)
class ExportCache:
    """The folder of all exports of one home."""

    folder: Path

    def facts_of(self, key: str) -> Mapping[str, Any] | None:
        """Return what was noted of the source with this key; None when it was never loaded here."""
        return _read_json(self._known(key)) if key else None

    def note(self, key: str, facts: Mapping[str, Any]) -> None:
        """Keep what is known of a source, so that its weights need not be loaded to know it."""
        if key:
            write_whole(self._known(key), json.dumps(facts).encode())

    def find(self, name: str) -> Path | None:
        """Return an export's `model.xml`; None when there is none, or it is not whole."""
        folder = self._place(name)
        try:
            whole = not check_sums(folder)
        except (ModelError, OSError, UnicodeDecodeError):
            return None
        return folder / XML if whole and (folder / XML).is_file() else None

    def add(self, name: str, write: Callable[[Path], None]) -> Path:
        """Let `write` fill a new folder, then put it in place; returns its `model.xml`.

        Raises OSError, and what `write` raises.
        """
        place = self._place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{secrets.token_hex(8)}")
        try:
            beside.mkdir()
            write(beside)
            write_sums(beside)
            if self.find(name) is None:
                shutil.rmtree(place, ignore_errors=True)  # a damaged one
                beside.rename(place)
        except OSError:
            if self.find(name) is None:  # else another process was faster
                raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return place / XML

    def measured(self, name: str, how: str) -> float | None:
        """Return what was measured of an export, run in this way; None if nothing was."""
        value = (_read_json(self._checked(name)) or {}).get(how)
        return value if isinstance(value, float) else None

    def note_measured(self, name: str, how: str, value: float) -> None:
        """Keep what was measured of an export. Raises OSError."""
        checked = {**(_read_json(self._checked(name)) or {}), how: value}
        write_whole(self._checked(name), json.dumps(checked).encode())

    def _place(self, name: str) -> Path:
        return self.folder / str(FORMAT) / name

    def _known(self, key: str) -> Path:
        return self.folder / str(FORMAT) / "known" / f"{key}.json"

    def _checked(self, name: str) -> Path:
        return self.folder / str(FORMAT) / "checked" / f"{name}.json"


def write_network(module: "nn.Module", example: NDArray[Any], folder: Path) -> None:
    """Write a module as a network for inputs of the example's shape (1, ...). Raises RuntimeError.

    Uses OpenVINO's own reader of traced modules: its `convert_model` does the same, but reports
    its use to its maker.
    """
    import openvino
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        # The fused attention is one operation that no other program knows.
        torch.backends.mha.set_fastpath_enabled(False)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # tracing speaks of shapes that are fixed on purpose
            batch = torch.from_numpy(example)
            plain = module.eval().cpu().to(memory_format=torch.contiguous_format)
            plain(batch)  # what a module computes once, such as anchors, is then a constant
            traced = torch.jit.trace(plain, batch, check_trace=False)  # type: ignore[no-untyped-call]
            reader = FrontEndManager().load_by_framework("pytorch")
            decoder = TorchScriptPythonDecoder(traced)  # kept: the reader does not keep it
            network = reader.convert(reader.load(decoder))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    network.reshape(list(example.shape))
    openvino.serialize(network, folder / XML)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
