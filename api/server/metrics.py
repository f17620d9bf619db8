"""Count what the server does, as Prometheus metrics whose names begin with `lapel_`.

Several workers count in files in the folder PROMETHEUS_MULTIPROC_DIR, and the one that is asked
adds them up: https://prometheus.github.io/client_python/multiprocess/.
"""

import os
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

# Seconds; a search is a few hundredths, a photo on a busy CPU a few seconds.
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """One server's counters; its own registry, so that several servers may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector("lapel", registry=self.registry)
        self._requests = Counter(
            "lapel_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._latency = self._seconds("lapel_request_seconds", "Time to an answer.", "route")
        self._stages = self._seconds("lapel_stage_seconds", "Time in a query's stages.", "stage")
        self._errors = Counter(
            "lapel_errors", "Answers that are problems.", ("type",), registry=self.registry
        )
        self._batch = Histogram(
            "lapel_batch_photos",
            "Photos described together.",
            buckets=(1, 2, 4, 8),
            registry=self.registry,
        )
        self.queue = Gauge(
            "lapel_queue_length",
            "Queries waiting for the models.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.photos = Gauge(
            "lapel_photos_remembered",
            "Photos kept for a next click.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._vectors = Gauge(
            "lapel_index_vectors",
            "Vectors searched.",
            ("catalogue",),
            registry=self.registry,
            multiprocess_mode="livemostrecent",
        )

    def _seconds(self, name: str, words: str, label: str) -> Histogram:
        return Histogram(name, words, (label,), buckets=LATENCIES, registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is its pattern, not the address with its ids."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def stages(self, took_ms: Mapping[str, float]) -> None:
        """Count the milliseconds of a query's stages."""
        for stage, ms in took_ms.items():
            if stage != "total":
                self._stages.labels(stage).observe(ms / 1000)

    def problem(self, code: str) -> None:
        """Count a problem by its name."""
        self._errors.labels(code).inc()

    def batch(self, photos: int) -> None:
        """Count a batch of photos described together."""
        self._batch.observe(photos)

    def vectors(self, catalogue: str, count: int) -> None:
        """Set how many vectors a catalogue has."""
        self._vectors.labels(catalogue).set(count)

    def text(self) -> bytes:
        """Return all metrics in the format that Prometheus reads."""
        if FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def close(self) -> None:
        """Drop this worker's gauges, such as the length of its queue, from the sums."""
        if FOLDER in os.environ:
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
