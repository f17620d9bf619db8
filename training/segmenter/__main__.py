"""Train the bundled garment segmenter from public weights.

    python -m training.segmenter --close-ups 250 --composites 500 --drawn 250 --out runs/first
    python -m training.segmenter --start runs/first/bundle/model.safetensors
        --teacher runs/first/bundle --flat-lays 300 --bundle FOLDER

Fine-tunes yolov8n-seg from its COCO weights with ultralytics' own trainer; with a teacher, also on
photos that have labels and no masks. Each epoch leaves a checkpoint and a bundle; `--resume` goes
on after a stop.
"""

import argparse
import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.checkpoints import half_cosine
from training.data.location import shared_folder
from training.segmenter.dataset import list_training_photos
from training.segmenter.network import (
    ARCHITECTURE,
    BundleConfig,
    GarmentNetwork,
    build_network,
    write_bundle,
)
from training.segmenter.training_set import Mixture, write_pictures

# Chosen on the held-out photos: the mean IoU of tops falls above it, and little is gained below.
CONFIDENCE = 0.25
LAST_LR = 0.02  # of the highest learning rate, at the end
SOURCE = (
    "ultralytics yolov8n-seg (COCO) fine-tuned on Clothing Co-Parsing, the clothing set, Luma "
    "and drawn pictures; see MODEL_CARD.md"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    epochs: int
    imgsz: int
    batch: int
    device: str
    seed: int
    lr: float
    hours: float | None
    drawn: int
    close_ups: int
    composites: int
    flat_lays: int
    clothing: int
    lone: bool
    accessories: int
    trusted_times: int
    teacher: Path | None
    keep_pictures: bool
    freeze: int
    start: Path
    resume: bool
    bfloat16: bool
    out: Path
    bundle: Path | None


def main() -> None:
    """Train as the command line says."""
    train(read_options())


def read_options(arguments: list[str] | None = None) -> Options:
    """Read the command line; what the bundled model was made with is in its MODEL_CARD.md."""
    parser = argparse.ArgumentParser(prog="training.segmenter", description=__doc__)
    add = parser.add_argument
    add("--epochs", type=int, default=30)
    add("--imgsz", type=int, default=320, help="side in pixels of the square seen")
    add("--batch", type=int, default=16)
    add("--device", default="cpu", help="cpu, or a CUDA device such as 0")
    add("--seed", type=int, default=0)
    add("--lr", type=float, default=0.001, help="highest learning rate of AdamW")
    add("--hours", type=float, help="train for this long, instead of --epochs")
    add("--drawn", type=int, default=0, metavar="N", help="mix in N drawn pictures")
    add("--close-ups", type=int, default=0, metavar="N", help="cut N windows out of the photos")
    add("--composites", type=int, default=0, metavar="N", help="add N crowds, lone and no garments")
    add(
        "--flat-lays", type=int, default=0, metavar="N", help="lay N lone garments on other grounds"
    )
    add("--clothing", type=int, default=10_000, metavar="N", help="photos of that set, at most")
    add("--lone", action="store_true", help="learn garments of nobody instead of tagged photos")
    add("--accessories", type=int, default=0, metavar="N", help="lay N bags, shoes, hats alone")
    add("--trusted-times", type=int, default=1, metavar="N", help="show photos with masks N times")
    add("--teacher", type=Path, help="a bundle that outlines garments in photos without masks")
    add("--keep-pictures", action="store_true", help="learn from what --out already has")
    add("--freeze", type=int, default=0, metavar="N", help="leave the first N layers as they are")
    add("--start", type=Path, default=shared_folder() / "weights" / "yolov8n-seg-coco.safetensors")
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--bfloat16", action="store_true", help="train in bfloat16 on a CPU that has it")
    add("--out", type=Path, default=Path("runs/segmenter"), help="work folder")
    add("--bundle", type=Path, default=None, help="write the trained model here too, at the end")
    return Options(**vars(parser.parse_args(arguments)))


def train(options: Options) -> None:
    """Prepare the pictures, train, and leave the model in `out/bundle` and in `bundle`."""
    trainer = _trainer(options)
    trainer.add_callback("on_pretrain_routine_end", _average_longer)
    trainer.add_callback("on_train_batch_start", _follow_clock)
    trainer.add_callback("on_model_save", _bundle_writer(options.out / "bundle"))
    trainer.train()
    if options.bundle is not None:
        _bundle_writer(options.bundle)(trainer)
        print(f"the trained segmenter is in {options.bundle}")


def _trainer(options: Options) -> Any:
    segment: Any = importlib.import_module("ultralytics.models.yolo.segment")

    def get_model(
        cfg: Any = None, weights: GarmentNetwork | None = None, verbose: bool = True
    ) -> GarmentNetwork:
        # On resume ultralytics passes the checkpoint's network, else None.
        network = build_network(options.start if weights is None else None)
        if weights is not None:
            network.load_state_dict(weights.float().state_dict())
        network.trains_in_bfloat16 = options.bfloat16 and options.device == "cpu"
        return network

    if options.resume:
        last = options.out / "run" / "weights" / "last.pt"
        if not last.is_file():
            raise FileNotFoundError(f"nothing to resume: {last} is missing; train without --resume")
        trainer = segment.SegmentationTrainer(
            overrides={"resume": str(last), "device": options.device, "time": options.hours}
        )
    else:
        data = _prepare(options)
        trainer = segment.SegmentationTrainer(overrides=_settings(options, data))
    trainer.get_model = get_model
    return trainer


def _prepare(options: Options) -> Path:
    """Write all pictures to learn from, or keep those of an earlier run."""
    folder = options.out / "data"
    if options.keep_pictures:
        if not (folder / "garments.yaml").is_file():
            raise FileNotFoundError(f"no pictures to keep in {folder}; leave out --keep-pictures")
        list_training_photos(folder, options.seed, options.trusted_times)
        return folder / "garments.yaml"
    mixture = Mixture(
        options.seed,
        options.trusted_times,
        options.close_ups,
        options.composites,
        options.drawn,
        options.flat_lays,
        options.teacher,
        options.lone,
        options.clothing,
        options.accessories,
    )
    return write_pictures(folder, mixture)


def _follow_clock(trainer: Any) -> None:
    """Where hours are given, fall the learning rate by them: other work may slow a run down.

    Ultralytics would reckon in whole epochs, and stop before the rate has come down.
    """
    if trainer.args.time is None:
        return
    done = trainer.start_epoch / max(1, trainer.epochs)  # by an earlier run, when resumed
    elapsed = (time.time() - trainer.train_time_start) / (3600 * trainer.args.time)
    progress = min(1.0, done + (1 - done) * elapsed)
    share = LAST_LR + (1 - LAST_LR) * half_cosine(progress)
    for group in trainer.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * share


def _average_longer(trainer: Any) -> None:
    """Make the running mean of the weights reach back 500 steps.

    Ultralytics' own is made for 100 times as many steps: after 3,000 it reaches back five.
    """
    trainer.ema.decay = lambda step: 0.998 * (1 - math.exp(-step / 200))


def _settings(options: Options, data: Path) -> dict[str, Any]:
    """Settle what ultralytics leaves open: the schedule and the augmentation."""
    run = {
        **{"data": str(data), "model": f"{ARCHITECTURE}.yaml", "epochs": options.epochs},
        **{"imgsz": options.imgsz, "batch": options.batch, "device": options.device},
        **{"seed": options.seed, "project": str(options.out.resolve()), "name": "run"},
        **{"freeze": options.freeze, "time": options.hours, "workers": 2},
        **{"exist_ok": True, "plots": False, "cache": "ram", "amp": False},
    }
    # nbs = batch: one step a batch. AdamW, because a run of some thousand steps is short for SGD.
    schedule = {
        **{"optimizer": "AdamW", "lr0": options.lr, "lrf": LAST_LR, "cos_lr": True},
        **{"nbs": options.batch, "momentum": 0.9, "weight_decay": 0.0005},
        **{"warmup_epochs": 0.3, "warmup_bias_lr": 0.0, "patience": options.epochs},
    }
    # Half of the pictures are mosaics, for garments that are small, cut off or several; the last
    # quarter of the epochs has none, so that whole photos are what the network knows last. Colour
    # names a garment to people, not its slot: hue and saturation may move.
    augmentation = {
        **{"mosaic": 0.5, "close_mosaic": max(1, options.epochs // 4), "scale": 0.5},
        **{"translate": 0.1, "degrees": 5.0, "fliplr": 0.5},
        **{"hsv_h": 0.02, "hsv_s": 0.5, "hsv_v": 0.4},
    }
    return run | schedule | augmentation


def _bundle_writer(folder: Path) -> Callable[[Any], None]:
    def write(trainer: Any) -> None:
        network: GarmentNetwork = trainer.ema.ema  # the running mean of the weights predicts better
        config = BundleConfig(
            architecture=ARCHITECTURE,
            classes=tuple(trainer.data["names"].values()),
            image_size=int(trainer.args.imgsz),
            confidence=CONFIDENCE,
            licence="AGPL-3.0",
            source=SOURCE,
        )
        write_bundle(folder, network, config)

    return write


if __name__ == "__main__":
    main()
