"""Durable functions: a decorated function whose calls are promises."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypedDict, TypeVar, Unpack, overload

from resonate_nb import generators, handles, mapping, versions
from resonate_nb.corridor import naming
from resonate_nb.corridor.binding import bound_call
from resonate_nb.corridor.children import Place, drawn_place, next_place
from resonate_nb.corridor.naming import Opaque
from resonate_nb.corridor.shortcut import Shortcut
from resonate_nb.corridor.work import Work
from resonate_nb.decorating import (
    checked_generator,
    checked_identity,
    checked_mutates,
    checked_version,
    decorated,
    mark_as_coroutine_function,
    name_of,
)
from resonate_nb.durations import milliseconds
from resonate_nb.errors import StaleSource, UsageError
from resonate_nb.fingerprint import Fingerprint, content_digest, fingerprint
from resonate_nb.ids import escape, validate_explicit
from resonate_nb.inputs import identified
from resonate_nb.known_calls import KnownCalls, key_of
from resonate_nb.many import tasks
from resonate_nb.promise import NO_TEXTS
from resonate_nb.retry import policy_of
from resonate_nb.signatures import Binding
from resonate_nb.values.reductions import durable_function
from resonate_nb.versioning import pins
from resonate_nb.versioning.version_table import table_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping

    from resonate_nb.corridor.attempts import Caller
    from resonate_nb.durations import Duration
    from resonate_nb.execution import Execution
    from resonate_nb.handles import Handle
    from resonate_nb.promise import Promise
    from resonate_nb.retry import Policy
    from resonate_nb.versioning.code_world import LoadedCode, World
    from resonate_nb.versioning.version_table import Versions
    from resonate_nb.versions import VersionRecord

P = ParamSpec("P")
R = TypeVar("R")

# Attributes.
_OF_THE_CODE = frozenset(
    {"_execution", "_binding", "_known", "_stored", "_function", "is_async", "is_generator"}
)


class MapOptions(TypedDict, total=False):
    """What `map` and `amap` take; see there."""

    workers: int | None
    executor: object
    chunksize: int | None
    return_exceptions: bool
    fail_fast: bool
    progress: bool
    limit_rate: str | float | None


class DurableFunction(Generic[P, R]):
    """A function whose calls are durable promises, identified by name, version, arguments and captured data.

    Made by `resonate_nb.durable`; the plain function is `__wrapped__`.
    """

    __durable_function__ = True
    __wrapped__: Callable[P, R]

    def __init__(
        self,
        function: Callable[P, R],
        execution: Callable[[], Execution],
        *,
        name: str | None = None,
        version: int | None = None,
        id: str | Opaque | Callable[..., str] | None = None,
        identity: Literal["arguments", "call"] = "arguments",
        tags: Mapping[str, str] = NO_TEXTS,
        keep_errors: bool = False,
        on_change: pins.OnChange = "raise",
        retry: Policy | int | None = None,
        timeout: Duration | None = None,
        mutates: Iterable[str] = (),
    ) -> None:
        self._first = decorated(function)  # what each call passes first, and how it is bound
        plain: Any = self._first.function
        functools.update_wrapper(self, plain)
        self.name = name or self._first.name or name_of(plain)
        self.version = checked_version(version)
        self._execution = execution
        signature = inspect.signature(plain)
        self._binding = Binding(signature)
        self._scheme = naming.checked_scheme(self.name, id, signature.parameters)
        self._by_place = checked_identity(self.name, identity, self._scheme) == "call"
        self._tags = dict(tags)
        self._keep_errors = keep_errors
        self._on_change = on_change
        self._retry = policy_of(retry)
        self._timeout = None if timeout is None else milliseconds(timeout)
        self._mutates = checked_mutates(self.name, mutates, signature.parameters)
        self._stored: Callable[[], LoadedCode] | None = None  # gives the code of an older version
        content = self._scheme is None and self._binding.defaults_never_change
        self._known = KnownCalls() if content else None
        self.is_async = inspect.iscoroutinefunction(plain)
        self.is_generator = checked_generator(self.name, plain, retry, mutates)
        if self.is_async:
            mark_as_coroutine_function(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the value for these arguments: from the store, or computed and kept."""
        value: R = self._start(args, kwargs)
        return value

    def run(self, id: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call under an id of your own choice; the guard checks that the work is the same.

        Raises
        ------
        PromiseConflict
            The id belongs to another function, other arguments or other code.
        InvalidId
            The store can't take the id.
        """
        value: R = self._start(args, kwargs, id=validate_explicit(id))
        return value

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Begin the call in a thread of our pool, and return its handle at once.

        The arguments are those of this moment, as far as they identify the call. The process does not wait
        for it at its end; its promise can be found again with `Handle(id)`.
        """
        self._refuse_generator("submit")
        execution = self._execution()
        work = self.work(args, kwargs, id=self.place()).under(execution.prefix)
        return handles.submit(self._execution, work, functools.partial(self._run, work, args, kwargs))

    def rerun(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute anew even if there is a value; the old one stands until the new one is kept."""
        self._refuse_without_content("rerun")
        value: R = self._start(args, kwargs, rerun=True)
        return value

    def promise(self, *args: P.args, **kwargs: P.kwargs) -> Promise | None:
        """Return the promise of this call, computing nothing; None if it was never begun."""
        self._refuse_without_content("promise")
        execution = self._execution()
        promise = execution.store.head(self.work(args, kwargs).under(execution.prefix).id)
        return None if promise is None else promise.seen(execution.clock.now())

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Delete the promise of this call with its value; return whether there was one."""
        self._refuse_without_content("forget")
        execution = self._execution()
        return execution.forget(self.work(args, kwargs).under(execution.prefix).id)

    @overload
    def map(
        self, *iterables: Iterable[Any], ordered: Literal[True] = True, **options: Unpack[MapOptions]
    ) -> list[R]: ...

    @overload
    def map(
        self, *iterables: Iterable[Any], ordered: Literal[False], **options: Unpack[MapOptions]
    ) -> Iterator[R]: ...

    def map(
        self, *iterables: Iterable[Any], ordered: bool = True, **options: Unpack[MapOptions]
    ) -> list[R] | Iterator[R]:
        """Call for each item (or tuple of items of several iterables, as `map` does).

        What is settled is found with few reads. A failed item does not stop the others. The iterables are
        read as items are needed. Ctrl-C keeps what was done and begins nothing more.

        Parameters
        ----------
        ordered
            True for a list in the order of the items; False for an iterator over the values as they finish,
            which holds no more than what is under way.
        workers
            How many calls are computed at once, in threads unless there is an executor; None computes them
            one after the other, in the calling thread.
        executor
            "threads" or "processes", for as many as the machine has use for, or `workers` of them; a pool of
            `concurrent.futures`; a client of a Dask cluster (`distributed.Client`). Processes and workers get
            the code as it is here, with the data that it reads. Those that see the store claim items and
            settle them, whatever becomes of this process. One that dies is replaced; of ours, also one that
            does not end at its deadline.
        chunksize
            How many items a process gets at once; left out, so many as take about a tenth of a second.
        return_exceptions
            Give the exception of a failed item in its place, instead of raising the first at the end.
        fail_fast
            Raise the first exception at once, and begin no further calls.
        progress
            Show a bar that tells what was done before and now, what failed, the rate and the remaining time.
        limit_rate
            How many calls may begin in a time: "10/s", "90/m", "500/h".

        Raises
        ------
        UsageError
            The function is a coroutine function, or an option is not what it must be.
        """
        self._refuse_generator("map")
        if self.is_async:
            raise UsageError(
                f"{self.name} is a coroutine function: `async for value in {self.name}.amap(...)` awaits many"
            )
        chosen = mapping.Options(**options)
        if ordered:
            return mapping.map_calls(self, self._execution(), iterables, chosen)
        return mapping.stream_calls(self, self._execution(), iterables, chosen)

    def amap(
        self, *iterables: Iterable[Any], ordered: bool = True, **options: Unpack[MapOptions]
    ) -> AsyncIterator[R]:
        """Do as `map` does without blocking the loop: `async for value in f.amap(xs, workers=10)`.

        Values come in the order of the items as soon as they are there, or as they finish. Of a coroutine
        function, so many `workers` (16 if left out) are awaited at once; others run in threads.
        """
        self._refuse_generator("amap")
        chosen = mapping.Options(**options)
        return tasks.stream(self, self._execution(), iterables, chosen, ordered=ordered)

    def repin(self) -> None:
        """Pin the version's number to the code as it is now; results kept under it stay valid."""
        if self.version is None:
            raise UsageError(f"{self.name} has no version number to pin: decorate it with version=1")
        code, execution = self.code(), self._execution()
        versions.remember(execution, self.name, self.version, code, self.__wrapped__)
        pins.pin(execution, self.name, self.version, code, again=True)

    def at(self, version: int | str) -> DurableFunction[P, R]:
        """Return the function as it was in another version, by number or by the fingerprint's beginning.

        Its calls deliver that version's results, and compute new ones with that version's code, as it was
        stored. Data that the code reads by the name of a variable is read where it is now; if there is no
        such variable any more, small data is what it was when the version ran first.

        Raises
        ------
        VersionMissing
            There is no such version, or its code can't be called from the store.
        """
        execution = self._execution()
        record = versions.find_record(execution, self.name, version)
        return self.with_record(record, version if isinstance(version, int) else None)

    def versions(self) -> Versions:
        """Return the versions that have run, a table that shows itself; its `diff` compares two of them."""
        return table_of(self._execution(), self.name, self.version, self.code().digest)

    def code(self) -> Fingerprint:
        """Return the fingerprint of the code that a call runs now."""
        return self._code(self._execution())

    def _code(self, execution: Execution) -> Fingerprint:
        if self._stored is None:
            return fingerprint(self.__wrapped__, library=execution.library)
        loaded = self._stored()
        self.__wrapped__ = loaded.function
        return loaded.fingerprint()

    def place(self) -> Place | None:
        """Return where a call made now stands, for a function whose calls are not known by their content."""
        if self._by_place:
            return next_place(self.name)
        return drawn_place(self.name) if isinstance(self._scheme, Opaque) else None

    def body(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[[], Any]:
        """Return what computes a call; asked for after `work`, which sees whether stored code still fits."""
        first, function = self._first, self.__wrapped__
        return functools.partial(function, *first.args, *args, **{**first.kwargs, **kwargs})

    def work(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, id: str | Place | None = None
    ) -> Work:
        """Return the work that a call with these arguments stands for, under a chosen id or at its place.

        Raises
        ------
        TypeError
            The arguments don't fit the signature.
        UndigestibleInput
            An argument, or data that the code reads by name, has no content to identify it.
        VersionConflict
            The code changed under the pinned version number.
        """
        return self._work(self.code(), args, kwargs, id)

    def _work(
        self,
        code: Fingerprint,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        id: str | Place | None,
        shortcut: Shortcut | None = None,
    ) -> Work:
        first = self._first
        given = self._binding.bind((*first.args, *args), {**first.kwargs, **kwargs})
        read = identified(self.name, given, code.captures, self._mutates)
        version = self._version(code)
        if id is None and self._scheme is not None and not isinstance(self._scheme, Opaque):
            id = naming.made_by(self._scheme, self.name, given)
        under = f"{escape(self.name)}@{version}/"
        by_content = id is None
        if isinstance(id, Place):
            chosen = id.id if id.extends else under + id.id
        else:
            chosen = under + read.digest if id is None else id
        return Work(
            id=chosen,
            kind="function",
            name=self.name,
            version=version,
            inputs=read.digest,
            fingerprint=code.digest,
            arguments="" if by_content else content_digest(given),
            explicit=isinstance(id, str),
            place=id if isinstance(id, Place) else None,
            keep_errors=self._keep_errors,
            retry=self._retry,
            timeout=self._timeout,
            tags=self._tags,
            about=read.about,
            changed=read.changed,
            mutation=read.mutation,
            record=functools.partial(self._record, code),
            bound=functools.partial(bound_call, self, self._execution(), (args, kwargs, id)),
            shortcut=shortcut,
        )

    def _known_work(
        self,
        code: Fingerprint,
        execution: Execution,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        id: str | Place | None,
    ) -> Work:
        """Return the work of a call, the very same as before where that is certain."""
        known, first = self._known, self._first
        repeats = id is None and known is not None and self._stored is None and not code.captures
        key = key_of((*first.args, *args), {**first.kwargs, **kwargs}) if repeats else None
        if key is None or known is None:
            return self._work(code, args, kwargs, id).under(execution.prefix)
        works = known.works(code, execution)
        work = works.get(key)
        if work is None:
            work = self._work(code, args, kwargs, id, Shortcut()).under(execution.prefix)
            works[key] = work
        elif self.version is not None:
            self._version(code)  # its number may be pinned to other code by now
        return work

    def remember(self) -> None:
        """Keep the version that a call runs now, without calling."""
        code = self.code()
        self._version(code)
        self._record(code)

    def _record(self, code: Fingerprint) -> None:
        if self._stored is None:
            versions.remember(self._execution(), self.name, self.version, code, self.__wrapped__)

    def with_record(self, record: VersionRecord, number: int | None) -> DurableFunction[P, R]:
        """Return the function as a record of its versions says that it was.

        Raises
        ------
        VersionMissing
            The code can't be called from the store.
        """
        load = functools.partial(versions.load, self._execution(), record, self._with_code)
        return self._with_code(load(), {**self.options(), "version": number, "_stored": load})

    def _with_code(self, loaded: LoadedCode, options: Mapping[str, Any]) -> DurableFunction[Any, Any]:
        """Return a durable function of this root with stored code and the options of another one."""
        return rebuilt(self._execution, loaded, options)

    def options(self) -> dict[str, Any]:
        """Return the attributes that say how the function is called, as opposed to what its code is."""
        return {
            key: value for key, value in vars(self).items() if key not in _OF_THE_CODE and key[:2] != "__"
        }

    def _version(self, code: Fingerprint) -> str:
        if self.version is not None and self._stored is None:
            pins.check(self._execution(), self.name, self.version, code, self._on_change)
        return versions.spelled(self.version, code.digest)

    def _start(self, args: Any, kwargs: Any, *, id: str | None = None, rerun: bool = False) -> Any:
        place = self.place() if id is None else id  # counted now, not when a coroutine begins
        if self.is_async:
            return self._run_async(args, kwargs, id=place, rerun=rerun)
        execution = self._execution()
        code = self._code(execution)
        if code.stale is not None:
            self._warn_if_stale(code)
            return self.body(args, kwargs)()
        work = self._known_work(code, execution, args, kwargs, place)
        if self.is_generator:
            return generators.iterate(execution, work, self.body(args, kwargs), rerun=rerun)
        return execution.run(work, self.body(args, kwargs), rerun=rerun)

    def _run(self, work: Work, args: Any, kwargs: Any, caller: Caller) -> Any:
        """Call in the present thread, for work that is known already."""
        execution, stale = self._execution(), self._warn_if_stale(self.code())
        if self.is_async:
            start = functools.partial(self._coroutine, args, kwargs)
            return asyncio.run(start() if stale else execution.run_async(lambda: work, start, caller))
        body = self.body(args, kwargs)
        return body() if stale else execution.run(work, body, caller)

    async def _run_async(self, args: Any, kwargs: Any, *, id: str | Place | None, rerun: bool) -> Any:
        if self._warn_if_stale(self.code()):
            return await self._coroutine(args, kwargs)
        execution = self._execution()
        return await execution.run_async(
            lambda: self.work(args, kwargs, id=id).under(execution.prefix),
            functools.partial(self._coroutine, args, kwargs),
            rerun=rerun,
        )

    def awaitable(self, args: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
        """Return the coroutine that computes a call of a coroutine function."""
        return self._coroutine(args, {})

    def _coroutine(self, args: Any, kwargs: Any) -> Coroutine[Any, Any, Any]:
        coroutine: Coroutine[Any, Any, Any] = self.body(args, kwargs)()
        return coroutine

    def _warn_if_stale(self, code: Fingerprint) -> bool:
        stale = code.stale
        if stale is not None:
            warnings.warn(stale_source(self.name, stale), StaleSource, stacklevel=4)
        return stale is not None

    def _refuse_generator(self, method: str) -> None:
        if self.is_generator:
            raise UsageError(f"{self.name} is a generator function: iterate its calls, without `{method}`")

    def _refuse_without_content(self, method: str) -> None:
        if self._by_place or isinstance(self._scheme, Opaque):
            raise UsageError(
                f"{self.name}.{method}(...) can't tell which call is meant: they are not known by their "
                "arguments. `find` shows their promises"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how other people's parallelism takes it to another process; its calls go to this store."""
        from resonate_nb.executors import visiting

        return visiting.reduced(self, self._execution())

    def __durable_reduce__(self) -> tuple[Any, ...]:
        """Return how it is kept in a value: by its name."""
        names = vars(self)
        return durable_function(self, names["__module__"], names["__qualname__"], self.code().digest)

    def __copy__(self) -> DurableFunction[P, R]:
        return self

    def __deepcopy__(self, memo: object) -> DurableFunction[P, R]:
        return self

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        binds = self._first.binds
        if binds == "nothing" or (instance is None and binds == "instance"):
            return self
        bound = (owner or type(instance)) if binds == "class" else instance
        return types.MethodType(_Method(self, bound), bound)

    def __durable_digest__(self) -> object:
        """Return what identifies the function as an argument: its version, its code and the data it reads."""
        if not self.is_stored:
            return self.name, self.version, self.__wrapped__
        code = self.code()
        return self.name, self.version, code.digest, {each.path: each.read() for each in code.captures}

    @property
    def world(self) -> World | None:
        """Where an older version's code finds its helpers; None for code that lives here."""
        return None if self._stored is None else self._stored().world

    @property
    def is_stored(self) -> bool:
        """Whether it calls an older version's code, from the store."""
        return self._stored is not None

    def __repr__(self) -> str:
        version = "automatic version" if self.version is None else f"version {self.version}"
        return f"<durable function {self.name}, {version}>"


class _Method(DurableFunction[P, R]):
    """The function of a bound method: its `submit`, `run` and others know the object.

    The call of a bound method passes the object, which is known already.
    """

    def __init__(self, function: DurableFunction[P, R], bound: object) -> None:
        vars(self).update(vars(function))
        self._function = function
        self._first = replace(function._first, args=(*function._first.args, bound), binds="nothing")  # noqa: SLF001 (of this class)

    def __call__(self, _: object, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return super().__call__(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Method) and self._function is other._function

    def __hash__(self) -> int:
        return hash(self._function)


def rebuilt(
    execution: Callable[[], Execution], loaded: LoadedCode, options: Mapping[str, Any]
) -> DurableFunction[Any, Any]:
    """Return a durable function with stored code and the options of another one."""
    made: DurableFunction[Any, Any] = DurableFunction(loaded.function, execution)
    vars(made).update({"_stored": lambda: loaded, **options})
    return made


def stale_source(name: str, module: str) -> str:
    """Return the sentence of the warning `StaleSource`."""
    return (
        f"{name} runs, but nothing is kept: the source of {module} on disk is not the code that runs. "
        f"Reload it (importlib.reload({module})) or restart the kernel"
    )
