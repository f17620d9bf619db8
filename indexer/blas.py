"""A block in, NumPy's matrix products in it done by the thread that asks for them.

The products of a search are small. Shared with the other cores they are no faster on a quiet
machine, and on a busy one each waits until the system next runs the thread that helps: 4 to 8 ms
for what takes 0.1.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

# NumPy's own library, of its wheels; that of FAISS is another, and makes lists faster with threads.
NUMPYS = "libscipy_openblas"


@contextmanager
def products_on_one_thread() -> Iterator[None]:
    """Hold for the whole process until the block ends."""
    with threadpool_limits({NUMPYS: 1}):
        yield
