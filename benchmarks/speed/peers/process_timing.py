"""Run another program's own code over a folder of photos and time it.

    python -P benchmarks/speed/peers/process_timing.py NAME WEIGHTS PHOTOS OUT --batch 32

Run by the Python of the peer's environment: nothing of ours is imported here, and nothing but the
standard library before a peer is chosen. `serve` is also how ours is run (`encode.py`).
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ANSWER = "@answer "
Work = Callable[[], object]
POLL_S = 0.05
READERS = 4  # processes that decode: clip-retrieval's own default


def serve(work: Work, said: Mapping[str, object]) -> None:
    """Say what is ready; then work once a line of standard input, and say how long it took."""
    print(ANSWER + json.dumps(dict(said)), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        details = work()
        answer = {"seconds": time.perf_counter() - start, "details": details}
        print(ANSWER + json.dumps(answer), flush=True)


class _Stages:
    """Stands for clip-retrieval's logger, which is a process of its own: sums the same seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def start(self) -> None:
        """Begin a run."""

    def __call__(self, stats: Mapping[str, float]) -> None:
        for name in ("read_duration", "inference_duration", "write_duration"):
            self.seconds[name] = self.seconds.get(name, 0.0) + stats[name]

    def end(self) -> None:
        """End a run."""


def clip_retrieval(options: argparse.Namespace) -> Work:
    """Return clip-retrieval's reader, mapper and writer, put together by its own runner."""
    from all_clip import load_clip  # type: ignore[import-not-found]
    from clip_retrieval.clip_inference.mapper import ClipMapper  # type: ignore[import-not-found]
    from clip_retrieval.clip_inference.reader import FilesReader  # type: ignore[import-not-found]
    from clip_retrieval.clip_inference.runner import Runner  # type: ignore[import-not-found]
    from clip_retrieval.clip_inference.writer import NumpyWriter  # type: ignore[import-not-found]

    model = f"open_clip:ViT-B-32/{options.weights}"
    _, preprocess, tokenizer = load_clip(model, use_jit=False, warmup_batch_size=1)
    only_images = {"enable_text": False, "enable_image": True, "enable_metadata": False}
    mapper = ClipMapper(
        **only_images, use_mclip=False, clip_model=model, use_jit=False, mclip_model=""
    )

    def work() -> dict[str, float]:
        stages = _Stages()
        runner = Runner(
            reader_builder=lambda sampler: FilesReader(
                sampler, preprocess, tokenizer, options.photos, options.batch, READERS,
                **only_images,
            ),
            mapper_builder=lambda: mapper,
            writer_builder=lambda part: NumpyWriter(
                part, options.out, **only_images, output_partition_count=1
            ),
            logger_builder=lambda part: stages,
            output_partition_count=1,
        )  # fmt: skip
        runner(0)
        return stages.seconds

    return work


def fashion_clip(options: argparse.Namespace) -> Work:
    """Return fashion-clip's `encode_images`, on a CLIP model of the same size."""
    import numpy as np
    from fashion_clip import fashion_clip as package  # type: ignore[import-not-found]

    folder = Path(options.out) / "model"
    _write_hugging_face_clip(folder)
    package._MODELS["random"] = str(folder)  # a name that it does not look up on a hub
    model = package.FashionCLIP("random")
    paths = [str(path) for path in sorted(Path(options.photos).iterdir())]

    def work() -> None:
        rows = model.encode_images(paths, batch_size=options.batch)
        np.save(Path(options.out) / "rows.npy", rows)

    return work


def _write_hugging_face_clip(folder: Path) -> None:
    """Write ViT-B/32 with random weights, and a vocabulary of the few tokens that it must have."""
    import torch
    from transformers import (  # type: ignore[import-not-found]
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    CLIPModel(CLIPConfig()).save_pretrained(folder)  # its defaults are those of ViT-B/32
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    (folder / "vocab.json").write_text(json.dumps(words), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(folder)


def imgsearch(options: argparse.Namespace) -> Work:
    """Return imgsearch's `embed_images` with ViT-B-32 as its own model code makes it."""
    from PIL import Image

    key = imgsearch_model(Path(options.out))
    from imgsearch.clip import Clip  # type: ignore[import-not-found]

    clip = Clip(key, "cpu")
    paths = sorted(Path(options.photos).iterdir())

    def work() -> None:
        for start in range(0, len(paths), options.batch):
            clip.embed_images([Image.open(path) for path in paths[start : start + options.batch]])

    return work


def imgsearch_model(folder: Path) -> str:
    """Write ViT-B-32 with random weights for imgsearch; return the key that it now has there."""
    import torch
    from imgsearch import config  # type: ignore[import-not-found]
    from tinyclip import create_model  # type: ignore[import-not-found]

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "random.pt"
    if not path.is_file():
        torch.save(create_model("ViT-B-32").state_dict(), path)
    config.MODELS["random"] = ("ViT-B-32", str(path), 512)
    return "random"


def index_with_imgsearch(photos: str, out: str) -> int:
    """Start imgsearch's server, let its client add a folder, stop it; return how many it holds.

    Both keep their files below `$HOME`.
    """
    key = imgsearch_model(Path(out))
    from imgsearch.client import Client  # type: ignore[import-not-found]
    from imgsearch.config import BASE_DIR, UNIX_SOCKET  # type: ignore[import-not-found]

    BASE_DIR.mkdir(parents=True, exist_ok=True)
    server = multiprocessing.get_context("spawn").Process(target=_run_imgsearch, args=(key, out))
    server.start()
    while not Path(UNIX_SOCKET).is_socket() or not (BASE_DIR / "isearch.pid").is_file():
        if not server.is_alive():
            raise SystemExit("imgsearch's server ended before it answered")
        time.sleep(POLL_S)
    client = Client()
    added: int = client.add_images([photos])
    # It answers before it has embedded them; the last batch waits a second for more.
    while (client.get_db_info() or {"count": 0})["count"] < added:
        time.sleep(POLL_S)
    server.terminate()  # as `isearch service stop` does: it saves what it holds
    server.join()
    return added


def _run_imgsearch(key: str, out: str) -> None:
    from imgsearch.server import Server  # type: ignore[import-not-found]

    imgsearch_model(Path(out))  # the key is known to a process, not to the package
    Server(model_key=key).run()


PEERS: Mapping[str, Callable[[argparse.Namespace], Work]] = {
    "clip-retrieval": clip_retrieval,
    "fashion-clip": fashion_clip,
    "imgsearch": imgsearch,
}


def main() -> None:
    """Serve one peer's work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("weights", help="an open_clip checkpoint of ViT-B-32")
    parser.add_argument("photos", help="a folder of photos")
    parser.add_argument("out", help="a folder to write embeddings to")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--index", action="store_true", help="imgsearch only: all of it, once")
    options = parser.parse_args()
    if options.index:
        print(index_with_imgsearch(options.photos, options.out))
        return
    work = PEERS[options.name](options)
    import torch

    said: dict[str, Any] = {
        "ran_as": f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    }
    serve(work, said | {"cores": os.cpu_count()})


if __name__ == "__main__":
    main()
