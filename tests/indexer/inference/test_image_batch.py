"""Batches for networks made by tables, and products held on one thread."""

import numpy as np
from threadpoolctl import threadpool_info

from indexer.inference.image_batch import to_nchw
from indexer.system.parallel import NUMPY_BLAS, single_threaded_blas


def test_a_batch_by_levels_is_the_arithmetic_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    squares = [rng.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(3)]
    mean, std = np.array([0.48, 0.45, 0.4], np.float32), np.array([0.26, 0.27, 0.28], np.float32)
    levels = (np.arange(256, dtype=np.float32)[:, None] / np.float32(255) - mean) / std
    expected = (np.stack(squares).astype(np.float32) / np.float32(255) - mean) / std
    batch = to_nchw(squares, levels)
    assert batch.flags.c_contiguous
    assert np.array_equal(batch, expected.transpose(0, 3, 1, 2))


def test_numpys_products_are_held_on_one_thread_and_let_go() -> None:
    def threads() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["prefix"] == NUMPY_BLAS]

    before = threads()
    with single_threaded_blas():
        assert set(threads()) <= {1}
        with single_threaded_blas():
            pass
        assert set(threads()) <= {1}
    assert threads() == before
