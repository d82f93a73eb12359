"""Questions put into a store, as a notebook would, without anybody who waits for them."""

from resonate_nb.clock import SystemClock
from resonate_nb.enquiry import answers
from resonate_nb.enquiry.questions import Question
from resonate_nb.promise import Promise, State
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.operations import Create


class Asker:
    """Asks, and looks what became of it."""

    def __init__(self, folder):
        self.folder = folder

    def ask(self, id, text, schema, *, kind="ask", notebook=None, timeout_at=2**53 - 1, **more):
        """Put a question into the store."""
        question = Question(kind=kind, text=text, schema=schema, **more)
        tags = {"rnb:kind": "question", **({"rnb:notebook": notebook} if notebook else {})}
        promise = Promise(id=id, param=question.param(), tags=tags, timeout_at=timeout_at)
        with self._store() as store:
            store.do(Create(promise=promise, now=SystemClock().now()))

    def promise(self, id):
        """Return the stored promise."""
        with self._store() as store:
            return store.get(id).promise.seen(SystemClock().now())

    def answer(self, id, value):
        """Answer a question, as the command line does."""
        with self._store() as store:
            answers.settle(store, id, value, now=SystemClock().now(), where="resonate-nb")

    def waiting(self):
        """Return the ids of the questions that wait."""
        return self._ids(State.PENDING)

    def answered(self):
        """Return the ids of the questions that have an answer."""
        return self._ids(State.RESOLVED)

    def _ids(self, state):
        query = Query(state=state, tags=(("rnb:kind", "question"),))
        with self._store() as store:
            return [each.id for each in store.list(query, SystemClock().now()).promises]

    def _store(self):
        return _Closing(DiskStore(self.folder))


class _Closing:
    def __init__(self, store):
        self.store = store

    def __enter__(self):
        return self.store

    def __exit__(self, *_):
        self.store.close()
