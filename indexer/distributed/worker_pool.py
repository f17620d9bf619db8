"""Run describing workers on a Ray cluster, and replace those that are lost.

Each worker is an actor with its own models and its share of a node. Ray itself repeats nothing: a
work item whose worker dies goes to the next free one, and another worker is requested, which starts
when a node has room. So a loss costs only its own time, whichever nodes are left.
"""

import logging
import queue
import threading
import time
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from indexer.distributed.cluster import connected, room_for
from indexer.distributed.worker import Load, Worker, WorkItem, WorkResult, load_for_many
from indexer.errors import ClusterError, FingerprintMismatch
from indexer.settings import Settings
from indexer.vocabulary.categories import OWN_WORDS

log = logging.getLogger("lapel")

POLL_S = 0.5  # between two checks whether the run is over
SAY_S = 60.0  # between two messages that no worker has started
# A work item that killed so many workers is not tried again: one of its pictures may be the cause.
TRIES = 4
DEATHS_EACH = 3  # in a row without an answer, a worker requested, until the run fails
WAITING = 1  # work items queued at a worker beyond those it works on, so that it never waits


@dataclass(slots=True, eq=False)
class _Member:
    """A worker that has loaded its models."""

    actor: Any
    is_lost: bool = False


class WorkerPool:
    """The workers of one import. To be used in a `with`; threads may share it.

    `fingerprint` is that of the wanted models: a worker with others ends the run.
    `load` makes the describer of a worker, on its machine.
    """

    def __init__(self, settings: Settings, fingerprint: str, load: Load = load_for_many) -> None:
        self._settings = settings
        self._fingerprint = fingerprint
        self._load = load
        self.workers = 0
        self.lost = 0  # work items whose worker died
        self.reads_files = True  # whether the workers see the pictures' files
        self._free: queue.Queue[_Member] = queue.Queue()
        self._members: set[_Member] = set()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._failure: Exception | None = None
        self._deaths = 0
        self._warned_at = time.monotonic()
        self._joining: list[threading.Thread] = []

    @property
    def threads(self) -> int:
        """How many work items a worker works on at once."""
        return self._settings.ray_cpus

    @property
    def in_hand(self) -> int:
        """How many work items are worth submitting at once."""
        return self.workers * (self.threads + WAITING)

    def __enter__(self) -> "WorkerPool":
        """Connect, and ask for workers. Raises SettingsError without Ray, ClusterError."""
        with ExitStack() as stack:
            self._ray = stack.enter_context(connected(self._settings))
            self.workers = self._settings.ray_workers or room_for(self._ray, self._settings)
            self._stack = stack.pop_all()
        for _ in range(self.workers):
            self._request_worker()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in list(self._joining):
            thread.join()
        for member in self._members:
            self._dismiss(member.actor)
        self._stack.close()

    def ask(self, item: WorkItem, is_over: threading.Event) -> WorkResult:
        """Have a work item done, by another worker if one dies.

        Raises ClusterError when none can, CancelledError when `is_over` is set, and the worker's
        own errors.
        """
        for _ in range(TRIES):
            member = self._next_free(is_over)
            answer = self._answer(member, item, is_over)
            if answer is not None:
                return answer
        first = item.photos[0]
        raise ClusterError(
            f"{TRIES} workers died while they described the same {len(item.photos)} photos, from "
            f"{first.resolved} on: too little memory, or a picture that kills them; Ray's logs "
            "(/tmp/ray/session_latest/logs on its node) say how they died"
        )

    def _next_free(self, is_over: threading.Event) -> _Member:
        while True:
            if self._failure is not None:
                raise self._failure
            if is_over.is_set():
                raise CancelledError
            with suppress(queue.Empty):
                member = self._free.get(timeout=POLL_S)
                if not member.is_lost:
                    return member
                continue
            self._warn_if_none()

    def _answer(
        self, member: _Member, item: WorkItem, is_over: threading.Event
    ) -> WorkResult | None:
        """Return a worker's answer; None where it died."""
        errors = self._ray.exceptions
        try:
            answer: WorkResult = self._wait_for(member.actor.describe.remote(item), is_over)
        except errors.RayTaskError as error:
            self._free.put(member)
            raise error.cause from error
        except errors.RayError as error:
            self._lose(member, error)
            return None
        self._deaths = 0
        self._free.put(member)
        return answer

    def _wait_for(self, reference: Any, is_over: threading.Event) -> Any:
        while not self._ray.wait([reference], timeout=POLL_S)[0]:
            if is_over.is_set():
                raise CancelledError
        return self._ray.get(reference)

    def _lose(self, member: _Member, error: Exception) -> None:
        with self._lock:
            self.lost += 1
            if member.is_lost:  # another of its work items failed before
                return
            member.is_lost = True
            self._members.discard(member)
        log.warning("a worker was lost, its photos go to others: %s", _first_line(error))
        self._dismiss(member.actor)  # it may be alive, only unreachable
        if self._may_go_on(error):
            self._request_worker()

    def _may_go_on(self, error: Exception) -> bool:
        with self._lock:
            self._deaths += 1
            if self._deaths <= DEATHS_EACH * self.workers:
                return True
            self._failure = ClusterError(
                f"{self._deaths} workers died and none answered in between, the last of "
                f"{_first_line(error)}; see Ray's logs, and whether a node has the memory"
            )
            return False

    def _request_worker(self) -> None:
        thread = threading.Thread(target=self._start_worker, name="recruit")
        thread.start()
        with self._lock:
            self._joining = [each for each in self._joining if each.is_alive()] + [thread]

    def _start_worker(self) -> None:
        """Request a worker until one has started, with the right models."""
        errors = self._ray.exceptions
        while not self._is_over.is_set():
            actor = None
            try:
                actor = self._actor()
                fingerprint, machine = self._wait_for(actor.open.remote(), self._is_over)
            except CancelledError:
                self._dismiss(actor)
                return
            except errors.RayTaskError as error:
                self._failure = error.cause
                return
            except errors.RayError as error:
                log.warning("a worker was lost while it began: %s", _first_line(error))
                self._dismiss(actor)
                if not self._may_go_on(error):
                    return
            else:
                self._join(_Member(actor), fingerprint, machine)
                return

    def _join(self, member: _Member, fingerprint: str, machine: str) -> None:
        self._members.add(member)
        if fingerprint != self._fingerprint:
            self._failure = FingerprintMismatch(
                f"a worker on {machine} has the models {fingerprint}, expected "
                f"{self._fingerprint}: install the same version of Lapel and the same models on "
                "all nodes"
            )
            return
        for _ in range(self.threads + WAITING):
            self._free.put(member)

    def _actor(self) -> Any:
        settings = self._settings
        words = settings.home / OWN_WORDS
        device = settings.device if "cuda" in settings.device else "auto"
        overrides = {
            "threads": self.threads,
            "device": device if settings.ray_gpus else "cpu",
            **dict.fromkeys(("database_url", "read_database_url", "vectors_url"), ""),  # passwords
        }
        options = {
            "num_cpus": self.threads,
            "num_gpus": settings.ray_gpus,
            "max_restarts": 0,
            "max_concurrency": self.threads,
        }
        return (
            self._ray.remote(Worker)
            .options(**options)
            .remote(
                self._load,
                settings.model_copy(update=overrides),
                self.threads,
                words.read_bytes() if words.is_file() else None,
            )
        )

    def _dismiss(self, actor: Any) -> None:
        with suppress(Exception):  # it may be gone already
            self._ray.kill(actor)

    def _warn_if_none(self) -> None:
        with self._lock:
            if self._members or time.monotonic() - self._warned_at < SAY_S:
                return
            self._warned_at = time.monotonic()
        log.warning(
            "no worker is there yet; each needs %s CPUs and %s GPUs of a node, free are %s",
            self.threads, self._settings.ray_gpus, self._ray.available_resources(),
        )  # fmt: skip


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
