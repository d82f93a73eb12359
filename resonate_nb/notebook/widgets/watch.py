"""One thread that looks after open forms whose cells have ended: who is answered elsewhere is shown so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from resonate_nb.errors import ResonateError

if TYPE_CHECKING:
    from resonate_nb.notebook.widgets.forms import Form

_PAUSE_SECONDS = 0.5


class _Watch:
    """The forms that are looked after, and the thread that does it while there are any."""

    def __init__(self) -> None:
        self._forms: list[Form] = []
        self._lock = threading.Lock()
        self._pause = threading.Event()  # never set: a wait that ends with the process
        self._running = False

    def add(self, form: Form) -> None:
        with self._lock:
            self._forms.append(form)
            if not self._running:
                self._running = True
                threading.Thread(target=self._look, name="resonate-forms", daemon=True).start()

    def _look(self) -> None:
        while True:
            with self._lock:
                self._forms = [form for form in self._forms if not form.closed]
                if not self._forms:
                    self._running = False
                    return
                forms = list(self._forms)
            for form in forms:
                self._look_after(form)
            self._pause.wait(_PAUSE_SECONDS)

    def _look_after(self, form: Form) -> None:
        try:
            form.look()
        except ResonateError:  # its store was closed or went away: nobody can be told anything about it
            with self._lock:
                self._forms.remove(form)


def watch(form: Form) -> None:
    """Look after a form until its question is settled."""
    _watch.add(form)


_watch = _Watch()
