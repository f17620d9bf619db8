"""Our ids against open_clip's own tokenizer, on words of shops, of many scripts, and on noise."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from open_clip.tokenizer import SimpleTokenizer

from indexer.models.clip_tokenizer import WAYS, Tokenizer

TEXTS = (
    "blue jeans", "A RED dress's hem, don't we'll", "  two   spaces\tand a tab ", "", "x" * 300,
    "naïve Émilie ünïcode ✓ 😀", "&amp;amp; <b>bold</b>", "a_b--c!!! 12345 ½ 38/40", "size:XL;€20",
    "<start_of_text> <END_OF_TEXT>", "“curly” quotes…", "schöne rote Hose für 20 €", "Ã©tÃ©",
    "\x1b[31mred", "日本語 ズボン", "İstanbul ǅ ß ﬁ", "красное платье", "فستان أحمر", "\u200bzero",
    "it'S  'Ve 'LL", "non-breaking\u00a0space", "kelvin K and ſ long", "\x00\x1f",
)  # fmt: skip


def noise(count: int) -> list[str]:
    rng = random.Random(4)
    ranges = ((32, 127), (32, 127), (160, 0x500), (0x20, 0xD7FF))
    return [
        "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(rng.randrange(1, 40)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("clean", WAYS)
@pytest.mark.parametrize("context", [77, 24, 8])
def test_ids_are_open_clips_own(clean: str, context: int) -> None:
    texts = [*TEXTS, *noise(300)]
    expected = SimpleTokenizer(context_length=context, clean=clean)(texts).numpy()
    found = Tokenizer(context, clean)(texts)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


def test_only_models_with_this_vocabulary_are_read_for() -> None:
    plain = Tokenizer.of({"context_length": 24, "vocab_size": 49408})
    assert plain is not None
    assert plain(["blue jeans"]).shape == (1, 24)
    assert Tokenizer.of({}) is not None
    assert Tokenizer.of({"hf_tokenizer_name": "xlm-roberta-base"}) is None
    assert Tokenizer.of({"tokenizer_kwargs": {"reduction_mask": "random"}}) is None
    assert Tokenizer.of({"tokenizer_kwargs": {"clean": "upper"}}) is None


def test_nothing_slow_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom indexer.models.clip_tokenizer import Tokenizer\n"
         "print(Tokenizer(8)(['blue jeans']).tolist())\n"
         "print({'torch', 'open_clip', 'ftfy', 'regex'} & set(sys.modules))"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[[49406, 1746, 10157, 49407, 0, 0, 0, 0]]", "set()"]
