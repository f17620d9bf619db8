"""An indexing's stopwatch in, the table out that says where its time went."""

from collections.abc import Iterator

from indexer.system.stopwatch import Stopwatch

ON_CALLER = ("look up", "write")  # stages that one thread does while the workers describe
OF_MODELS = ("detect", "embed")


def profile_lines(
    watch: Stopwatch, photos: int, took_s: float, workers: int, idle_s: float
) -> Iterator[str]:
    """Yield a row a stage, then the whole against the slowest model's stage alone.

    A stage's `waiting` is the part of its seconds in which its thread did not compute. `alone` is
    how many photos a second it would do, if all of its threads did nothing else.
    """
    if not photos:
        yield "no photo was described"
        return
    yield f"{'stage':16}{'seconds':>9}{'waiting':>9}{'ms a photo':>12}{'alone, photos/s':>17}"
    alone: dict[str, float] = {}
    for stage, seconds in watch.seconds.items():
        threads = 1 if stage in ON_CALLER else workers
        alone[stage] = threads * photos / max(seconds, 1e-9)
        waited = watch.waited[stage]
        each = 1000 * seconds / photos
        yield f"{stage:16}{seconds:9.2f}{waited:9.2f}{each:12.2f}{alone[stage]:17.1f}"
    yield f"{'workers idle':16}{idle_s:9.2f}"
    rate = photos / took_s
    yield f"{photos} photos in {took_s:.1f} s by {workers} workers: {rate:.1f} photos/s"
    models = [stage for stage in OF_MODELS if stage in alone]
    if models:
        slowest = min(models, key=alone.__getitem__)
        yield (
            f"the slowest model's stage, {slowest}, would do {alone[slowest]:.1f} photos/s alone: "
            f"the whole does {rate / alone[slowest]:.0%} of that"
        )
