"""Build the parser's network, start it from trained weights, and write the bundled files."""

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from indexer.models.detection.parser_module import ParserModule

LEAST_FITTING = 0.9  # of a trunk's tensors, else it is of another architecture


@dataclass(frozen=True, slots=True)
class ParserConfig:
    """What `config.json` says: enough to build the network and to use it as it was trained."""

    trunk: str
    classes: tuple[str, ...]
    size: tuple[int, int]  # height, width of what the network sees
    licence: str
    source: str


def start_from(network: ParserModule, weights: Path) -> None:
    """Take the layers of a detector, of an encoder's image tower, or of a parser.

    Raises ValueError where they do not fit.
    """
    stored = {name: tensor.float() for name, tensor in load_file(weights).items()}
    own = network.state_dict()
    taken: dict[str, Tensor] = {}
    for name, tensor in own.items():
        for other in _names_elsewhere(name):
            if other in stored and stored[other].shape == tensor.shape:
                taken[name] = stored[other].to(tensor.dtype)
                break
    trunk = [name for name in own if name.startswith("trunk.")]
    fitting = sum(name in taken for name in trunk)
    if fitting < LEAST_FITTING * len(trunk):
        raise ValueError(f"{weights} fits {fitting} of the trunk's {len(trunk)} tensors")
    network.load_state_dict(taken, strict=False)
    print(f"{len(taken)} of {len(own)} tensors from {weights.name}")


def _names_elsewhere(name: str) -> tuple[str, ...]:
    in_detector = name.replace("trunk.model.", "model.", 1)
    in_tower = name.replace("trunk.body.", "visual.trunk.", 1)
    return name, in_detector, in_tower, name.replace("trunk.body.", "", 1)


class RunningMean:
    """A network whose weights are the running mean of another's: it predicts better."""

    def __init__(self, network: ParserModule) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(requires_grad=False)

    @torch.no_grad()
    def follow(self, network: ParserModule, step: int) -> None:
        """Move towards the trained network; faster at first."""
        keep = min(0.998, (1 + step) / (10 + step))
        current = network.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - keep)
            else:
                mean.copy_(current[name])


def write_bundle(folder: Path, network: ParserModule, config: ParserConfig) -> None:
    """Write `model.safetensors` (float16) and `config.json` into `folder`."""
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in network.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(save(state))
    text = json.dumps(asdict(config), indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def read_bundle(folder: Path) -> tuple[ParserModule, ParserConfig]:
    """Read a bundle back: the network in float32 and eval mode, and its configuration."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tuples = {name: tuple(content[name]) for name in ("classes", "size")}
    config = ParserConfig(**{**content, **tuples})
    network = ParserModule(config.trunk, len(config.classes))
    state = load_file(folder / "model.safetensors")
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return network.eval(), config
