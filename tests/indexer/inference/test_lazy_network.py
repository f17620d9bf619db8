"""What a text query loads, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from indexer.inference.openvino_network import CompiledNetwork, LazyNetwork
from indexer.models.loading import Models
from tests.indexer.inference.test_runtime import batch_of, compiling, run_python, small_source


def test_texts_are_embedded_without_torch(models: Models) -> None:
    models.encoder.embed_text(["jeans"])  # exported now, if not before
    done = run_python(
        "import sys\n"
        "from indexer.models.loading import load_models\nfrom indexer.settings import Settings\n"
        "from search.query.text_query import read_text\n"
        "models = load_models(Settings(), lazy=True)\n"
        "print(read_text('navy jeans', models).vector.any(), models.encoder.placement.engine)\n"
        "print('loaded', {'torch', 'open_clip', 'alembic', 'ftfy', 'regex'} & set(sys.modules))"
    )
    assert done.stdout.splitlines() == ["True openvino", "loaded set()"]


def test_what_ran_here_before_is_compiled_when_first_asked(tmp_path: Path) -> None:
    lazy = replace(compiling(tmp_path), lazy=True)
    first, again = lazy.network(small_source()), lazy.network(small_source())
    assert (type(first), type(again)) == (CompiledNetwork, LazyNetwork)
    assert (again.placement, again.facts) == (first.placement, first.facts)
    assert np.array_equal(again.run(batch_of(2))[0], first.run(batch_of(2))[0])
