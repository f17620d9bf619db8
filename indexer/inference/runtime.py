"""Choose device, engine and precision of each network.

On a CPU, networks are compiled by OpenVINO and exported once per fingerprint into the home's cache;
on CUDA and MPS, and wherever that fails, torch runs them. A network in lower precision (bf16, int8)
is compared with the exact one before it is used, and refused if its answers differ.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.errors import LapelError, SettingsError
from indexer.inference.export_cache import ExportCache, write_network
from indexer.inference.openvino_network import (
    TOGETHER,
    Answers,
    CompiledNetwork,
    LazyNetwork,
    Network,
    Precision,
    times_as_fast,
)
from indexer.inference.precision import WORTH_IT, allowed_precisions, is_close_enough
from indexer.inference.torch_network import TorchNetwork
from indexer.settings import Settings
from indexer.system.devices import cpu_and_compiler, find_device, usual_threads

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("lapel")
CalibrationPictures = Callable[[], Sequence[NDArray[np.uint8]]]


def _pictures() -> Sequence[NDArray[np.uint8]]:
    from indexer.inference.conversion_check import reference_images

    return reference_images()


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model as torch has it: answers a batch with one tensor or several, each (n, ...)."""

    module: "nn.Module"
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSource:
    """A model that may be loaded, and how its answers are compared.

    `key` names the content of its files and all else that its facts depend on; it is empty when
    only loading can tell. `prepare` makes a batch of pictures, or of what `probes` returns in their
    place, as the facts say. `closeness` is 1 for equal answers; a conversion is refused below the
    bound of its precision, and one without a bound is not tried.
    """

    name: str
    key: str
    load: Callable[[], Loaded]
    prepare: Callable[[Mapping[str, Any], Sequence[Any]], NDArray[Any]]
    closeness: Callable[[Mapping[str, Any], Answers, Answers], float]
    bounds: Mapping[Precision, float]
    references: Callable[[], Sequence[Any]] = _pictures


@dataclass(frozen=True, slots=True, eq=False)
class Runtime:
    """Makes networks run. Without a `cache` folder all of them run on torch, exactly."""

    device: str
    precision: Precision | Literal["auto"] = "fp32"
    cache: ExportCache | None = None
    threads: int = 1
    calibration: CalibrationPictures = tuple
    warned: set[Path] = field(default_factory=set)
    at_once: int = 1  # callers that share the threads, each with an answer of its own
    lazy: bool = False  # compile what ran here before only when it is first asked
    brief: bool = False  # asked for some photos only: what takes long to make is not worth it

    @classmethod
    def choose(cls, wanted: str = "auto") -> "Runtime":
        """Return a runtime that is exact, on torch: for training, and to compare with.

        `wanted` is `auto` for the fastest device, or `cpu`, `cuda`, `cuda:1`, `mps`.
        Raises SettingsError.
        """
        return cls(find_device(wanted))

    @classmethod
    def of(cls, settings: Settings, at_once: int = 1) -> "Runtime":
        """Return the runtime that the settings ask for. Raises SettingsError."""
        device = find_device(settings.device)
        if settings.runtime == "openvino" and device != "cpu":
            raise SettingsError(
                f"LAPEL_RUNTIME=openvino runs on the CPU, but LAPEL_DEVICE is {device!r}; set "
                "LAPEL_DEVICE=cpu, or LAPEL_RUNTIME=auto"
            )
        compiles = settings.runtime != "torch" and device == "cpu"
        threads = settings.threads or usual_threads()
        if (settings.threads or at_once > 1) and not compiles:
            import torch

            torch.set_num_threads(max(1, threads // at_once))
        from indexer.inference.int8_quantisation import catalogue_pictures

        return cls(
            device,
            settings.precision,
            ExportCache(settings.model_cache_folder) if compiles else None,
            threads,
            lambda: catalogue_pictures(settings.home),
            at_once=at_once,
        )

    def network(self, source: ModelSource) -> Network:
        """Return a source's network, as fast as it can be run here without answering otherwise.

        Raises ModelError, or whatever loading the source raises.
        """
        once = _SourceOnce(source)
        if self.cache is None:
            return self._on_torch(once)
        try:
            for precision in self._in_order(once, self.cache):
                compiled = self._compiled(once, self.cache, precision)
                if compiled is not None:
                    return compiled
        except LapelError:
            raise
        except Exception as error:  # OpenVINO, tracing, a disk: whatever fails, torch does it
            self._warn_of_torch(" ".join(str(error).split())[:300], self.cache.folder)
        return self._on_torch(once)

    def _warn_of_torch(self, reason: str, folder: Path) -> None:
        if folder not in self.warned:  # of several models that cannot be exported, it is said once
            log.warning(
                "models run on torch, several times slower: they cannot be exported to %s (%s)",
                folder, reason,
            )  # fmt: skip
        self.warned.add(folder)

    def _in_order(self, once: "_SourceOnce", cache: ExportCache) -> list[Precision]:
        """Return the precisions to try, of those that have a bound; bf16 not before it gains."""
        wanted = allowed_precisions(self.precision, once.source.bounds)
        is_free = self.precision != "bf16" and {"bf16", "fp32"} <= set(wanted)
        if is_free and self._gain(once, cache) < WORTH_IT:
            wanted[-2:] = wanted[:-3:-1]
        return wanted

    def _gain(self, once: "_SourceOnce", cache: ExportCache) -> float:
        """Return how many times as fast as in fp32 a network is in bf16, measured once a CPU."""
        facts = once.facts(cache)
        name, how = str(facts["fingerprint"]), f"bf16 against fp32 {cpu_and_compiler()}"
        gain = cache.measured(name, how)
        if gain is None:
            xml = cache.find(name) or cache.add(name, once.export)
            inexact, exact = (
                CompiledNetwork(xml, facts, precision, self.threads, self.at_once, brief=True)
                for precision in ("bf16", "fp32")
            )
            gain = times_as_fast(inexact, exact, once.batch(facts)[:1])
            with suppress(OSError):  # a cache that may only be read: measured each time
                cache.note_measured(name, how, gain)
        return gain

    def _on_torch(self, once: "_SourceOnce") -> Network:
        loaded, bounds = once.loaded(), once.source.bounds
        # On a CPU torch gains nothing by less exact numbers; whoever wants that has OpenVINO.
        inexact = self.device != "cpu" and self.precision in ("auto", "bf16", "int8")
        if self.precision == "int8" and "int8" in once.source.bounds:
            log.warning("int8 runs on OpenVINO only; the %s runs otherwise", once.source.name)
        if inexact and not self.device.startswith("mps"):
            once.answer_exactly()  # on the CPU, before the module is moved from it
            network = TorchNetwork(loaded.module, loaded.facts, self.device, "bf16")
            if is_close_enough(once.source.name, "bf16", once.compared(network), bounds):
                return network
        return TorchNetwork(loaded.module, loaded.facts, self.device, "fp32")

    def _compiled(
        self, once: "_SourceOnce", cache: ExportCache, precision: Precision
    ) -> Network | None:
        """Return the network compiled in this precision; None when its answers are not the same."""
        facts, bounds = once.facts(cache), once.source.bounds
        name = str(facts["fingerprint"])
        xml = cache.find(name) or cache.add(name, once.export)
        if precision == "int8":
            from indexer.inference.int8_quantisation import quantise

            exact, name = xml, f"{name}-int8"
            quantised = cache.find(name)
            if quantised is None:
                pictures = self.calibration()
                batch = once.source.prepare(facts, pictures) if len(pictures) else None
                if batch is None:
                    return None
                quantised = cache.add(name, lambda folder: quantise(exact, batch, folder))
            xml = quantised
        how = f"{precision} {cpu_and_compiler()}"
        closeness = cache.measured(name, how)
        if closeness is not None and not is_close_enough(
            once.source.name, precision, closeness, bounds
        ):
            return None

        def compiled() -> CompiledNetwork:
            return CompiledNetwork(xml, facts, precision, self.threads, self.at_once, self.brief)

        if closeness is not None:
            return LazyNetwork(compiled, facts, precision) if self.lazy else compiled()
        network = compiled()
        closeness = once.compared(network)
        cache.note_measured(name, how, closeness)
        return network if is_close_enough(once.source.name, precision, closeness, bounds) else None


class _SourceOnce:
    """A source, loaded when first needed, and not again."""

    def __init__(self, source: ModelSource) -> None:
        self.source = source
        self._loaded: Loaded | None = None
        self._exact: tuple[NDArray[Any], Answers] | None = None
        self._batch: NDArray[Any] | None = None

    def loaded(self) -> Loaded:
        if self._loaded is None:
            self._loaded = self.source.load()
        return self._loaded

    def facts(self, cache: ExportCache) -> Mapping[str, Any]:
        known = cache.facts_of(self.source.key)
        if known is None:
            known = self.loaded().facts
            cache.note(self.source.key, known)
        return known

    def export(self, folder: Path) -> None:
        batch, _ = self._probe()
        write_network(self.loaded().module, batch[:1], folder)

    def batch(self, facts: Mapping[str, Any]) -> NDArray[Any]:
        if self._batch is None:
            self._batch = self.source.prepare(facts, self.source.references())
        return self._batch

    def answer_exactly(self) -> None:
        """Answer what networks are compared by, exactly, on the CPU."""
        self._probe()

    def compared(self, network: Network) -> float:
        """Return how close a network's answers are to the exact ones."""
        batch, exact = self._probe()
        # So many that a network which answers several at a time is compared in this, too.
        rows = np.resize(np.arange(len(batch)), max(len(batch), TOGETHER + 1))
        answers = network.run(batch[rows])
        return self.source.closeness(network.facts, tuple(each[rows] for each in exact), answers)

    def _probe(self) -> tuple[NDArray[Any], Answers]:
        if self._exact is None:
            loaded = self.loaded()
            batch = self.batch(loaded.facts)
            exact = TorchNetwork(loaded.module, loaded.facts, "cpu", "fp32").run(batch)
            self._exact = batch, exact
        return self._exact
