"""Settings in, workers on a Ray cluster out, who describe photos; whoever is lost is replaced.

Each worker is an actor with its own models and its share of a node. Ray itself repeats nothing: an
order whose worker dies is given to the next who is free, and another worker is asked for, who comes
when a node has room. So what is lost costs its own time only, whichever nodes are left.
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
from indexer.distributed.worker import Answer, Load, Order, Worker, load_for_many
from indexer.errors import ClusterError, FingerprintMismatch
from indexer.settings import Settings
from indexer.vocabulary.categories import OWN_WORDS

log = logging.getLogger("lapel")

POLL_S = 0.5  # between two looks whether all is over
SAY_S = 60.0  # between two words that no worker is there
# An order that as many workers died of is not given to another: a picture may be what kills them.
TRIES = 4
DEATHS_EACH = 3  # of workers in a row, none of whom answered, for each that was wanted
WAITING = 1  # orders that lie with a worker beyond those in its hands: it need not wait for more


@dataclass(slots=True, eq=False)
class _Member:
    """A worker that has loaded its models."""

    actor: Any
    is_lost: bool = False


class Crew:
    """The workers of one import. To be used in a `with`; threads may share it.

    `fingerprint` is that of the models whose vectors are wanted: a worker with others ends the run.
    `load` makes the describer of a worker, on its machine.
    """

    def __init__(self, settings: Settings, fingerprint: str, load: Load = load_for_many) -> None:
        self._settings = settings
        self._fingerprint = fingerprint
        self._load = load
        self.workers = 0
        self.lost = 0  # orders whose worker died
        self.reads_files = True  # whether pictures' paths lead to them for the workers, too
        self._free: queue.Queue[_Member] = queue.Queue()
        self._members: set[_Member] = set()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._failure: Exception | None = None
        self._deaths = 0
        self._said_at = time.monotonic()
        self._joining: list[threading.Thread] = []

    @property
    def threads(self) -> int:
        """How many orders a worker carries out at once."""
        return self._settings.ray_cpus

    @property
    def in_hand(self) -> int:
        """How many orders are worth giving at once."""
        return self.workers * (self.threads + WAITING)

    def __enter__(self) -> "Crew":
        """Connect, and ask for workers. Raises SettingsError without Ray, ClusterError."""
        with ExitStack() as stack:
            self._ray = stack.enter_context(connected(self._settings))
            self.workers = self._settings.ray_workers or room_for(self._ray, self._settings)
            self._stack = stack.pop_all()
        for _ in range(self.workers):
            self._send_for()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in list(self._joining):
            thread.join()
        for member in self._members:
            self._dismiss(member.actor)
        self._stack.close()

    def ask(self, order: Order, is_over: threading.Event) -> Answer:
        """Have an order carried out, by another worker if one dies.

        Raises ClusterError when none can, CancelledError when all is over, and what the worker did.
        """
        for _ in range(TRIES):
            member = self._next_free(is_over)
            answer = self._answer(member, order, is_over)
            if answer is not None:
                return answer
        first = order.photos[0]
        raise ClusterError(
            f"{TRIES} workers died while they described the same {len(order.photos)} photos, from "
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
            self._say_if_none()

    def _answer(self, member: _Member, order: Order, is_over: threading.Event) -> Answer | None:
        """Return a worker's answer; None where it died."""
        errors = self._ray.exceptions
        try:
            answer: Answer = self._wait_for(member.actor.describe.remote(order), is_over)
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
            if member.is_lost:  # another of its orders failed before
                return
            member.is_lost = True
            self._members.discard(member)
        log.warning("a worker was lost, its photos go to others: %s", _first_line(error))
        self._dismiss(member.actor)  # it may only be out of sight
        if self._may_go_on(error):
            self._send_for()

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

    def _send_for(self) -> None:
        thread = threading.Thread(target=self._bring_in, name="recruit")
        thread.start()
        with self._lock:
            self._joining = [each for each in self._joining if each.is_alive()] + [thread]

    def _bring_in(self) -> None:
        """Ask for one worker until it is there, with the right models."""
        errors = self._ray.exceptions
        while not self._is_over.is_set():
            actor = None
            try:
                actor = self._actor()
                found, machine = self._wait_for(actor.open.remote(), self._is_over)
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
                self._join(_Member(actor), found, machine)
                return

    def _join(self, member: _Member, found: str, machine: str) -> None:
        self._members.add(member)
        if found != self._fingerprint:
            self._failure = FingerprintMismatch(
                f"a worker on {machine} has the models {found}, expected {self._fingerprint}: "
                "install the same version of Lapel and the same models on all nodes"
            )
            return
        for _ in range(self.threads + WAITING):
            self._free.put(member)

    def _actor(self) -> Any:
        settings = self._settings
        words = settings.home / OWN_WORDS
        device = settings.device if "cuda" in settings.device else "auto"
        own = {
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
                settings.model_copy(update=own),
                self.threads,
                words.read_bytes() if words.is_file() else None,
            )
        )

    def _dismiss(self, actor: Any) -> None:
        with suppress(Exception):  # whatever Ray says of one that is gone already
            self._ray.kill(actor)

    def _say_if_none(self) -> None:
        with self._lock:
            if self._members or time.monotonic() - self._said_at < SAY_S:
                return
            self._said_at = time.monotonic()
        log.warning(
            "no worker is there yet; each needs %s CPUs and %s GPUs of a node, free are %s",
            self.threads, self._settings.ray_gpus, self._ray.available_resources(),
        )  # fmt: skip


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
