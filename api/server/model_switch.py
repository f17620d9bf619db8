"""Switch a running server to the new models when `lapel reembed` finishes.

`lapel reembed` describes a catalogue's photos again beside the old descriptions and switches in one
transaction. A server notices that it has begun, loads the same models beside its own, and uses them
from the switch on: no request fails. It watches its default catalogue only.
"""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.schemas.recommend import CompleteAnswer, OutfitAnswer
from api.schemas.responses import SearchAnswer
from api.server.catalogues import Catalogues, ServedCatalogue
from api.server.inference_thread import Inference
from indexer.errors import LapelError, QueryError
from indexer.models.loading import Models
from indexer.settings import Settings
from indexer.storage.reembed_staging import find_shadow
from indexer.storage.tables import CatalogueRow

log = logging.getLogger("lapel")

LOOK_S = 2.0  # between two checks: two short queries, and far less than a re-embedding takes
TRIES = 3  # one switch may fall into a request, and a stale row into its second try

AnyAnswer = TypeVar("AnyAnswer", SearchAnswer, CompleteAnswer, OutfitAnswer)


class ModelSwitch:
    """Replaces a server's models by those of its catalogue; `load` loads them."""

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        catalogues: Catalogues,
        load: Callable[[Settings], Models],
    ) -> None:
        self._settings = settings
        self._inference = inference
        self._catalogues = catalogues
        self._load = load
        self._lock = threading.Lock()
        self._next: Models | None = None  # of the re-embedding that is under way
        self._useless: set[str] = set()  # fingerprints whose model names are other models here
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="model-switch", daemon=True)

    def start(self) -> None:
        """Start to watch for a re-embedding."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, once a model that is being loaded is loaded."""
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def answer(self, name: str, ask: Callable[[ServedCatalogue], AnyAnswer]) -> AnyAnswer:
        """Ask a catalogue; ask again if its models were switched meanwhile."""
        catalogue = self._catalogues.get(name)
        for left in reversed(range(TRIES)):
            used = self._inference.models.fingerprint
            try:
                answer = ask(catalogue)
            except QueryError:
                raise
            except Exception:  # half of it may have read old rows, with any result
                if not left or not self.update(catalogue, used):
                    raise
                continue
            is_empty = not all(each.results for each in answer.garments)
            is_doubtful = is_empty or self._inference.models.fingerprint != used
            if not left or not is_doubtful or not self.update(catalogue, used):
                break
        return answer

    def update(self, catalogue: ServedCatalogue, used: str | None = None) -> bool:
        """Use the catalogue's models if it was switched; tell whether they are others than `used`.

        Takes seconds if they are not loaded yet; other callers wait meanwhile.
        """
        used = used or self._inference.models.fingerprint
        row = catalogue.row()
        is_ours = row.name == self._settings.catalogue
        if is_ours and row.fingerprint not in (None, self._inference.models.fingerprint):
            with self._lock:  # another thread may be loading them, or have them by now
                self._take(catalogue.row())
        return self._inference.models.fingerprint != used

    def update_for(self, name: str) -> None:
        """Use a catalogue's models if it was switched, before it is written to.

        A read replica decides: while it lags, searches need the old models.
        """
        if name == self._settings.catalogue:
            self.update(self._catalogues.get(name))

    def _take(self, row: CatalogueRow) -> None:
        if row.fingerprint in (None, self._inference.models.fingerprint):
            return
        models = self._loaded(row)
        if models is not None:
            self._inference.models = models
            self._next = None
            log.info("catalogue %s was made anew; its models are served now", row.name)

    def _loaded(self, row: CatalogueRow) -> Models | None:
        """Return the models that described a row's garments; None if they cannot be loaded."""
        wanted = row.fingerprint
        if self._next is not None and self._next.fingerprint == wanted:
            return self._next
        if wanted is None or wanted in self._useless or row.models is None:
            return None
        try:
            models = self._load(self._settings.model_copy(update=row.models))
        except LapelError as error:
            log.warning(
                "the models %s are set to, %s, cannot be loaded: %s", row.name, row.models, error
            )
            self._useless.add(wanted)
            return None
        if models.fingerprint != wanted:
            log.warning(
                "%s names models %s here, not %s, which made the catalogue",
                row.models,
                models.fingerprint,
                wanted,
            )
            self._useless.add(wanted)
            return None
        return models

    def _look(self) -> None:
        while not self._is_stopping.wait(LOOK_S):
            try:
                self._look_once()
            except (SQLAlchemyError, LapelError) as error:  # the next check may succeed
                log.warning("cannot see whether the catalogue is made anew: %s", error)

    def _look_once(self) -> None:
        catalogue = self._catalogues.get(self._settings.catalogue)
        with Session(catalogue.engine) as session:
            hidden = find_shadow(session, catalogue.id)
            session.expunge_all()
        with self._lock:
            if hidden is not None and hidden.fingerprint != self._inference.models.fingerprint:
                self._next = self._loaded(hidden)
            self._take(catalogue.row())
            if hidden is None:
                self._next = None  # the re-embedding was given up
