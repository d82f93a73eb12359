"""What goes on side by side: `gather`, `race`, `sleep`.

Each has one name for synchronous and asynchronous code. In a coroutine function, and in a cell with an
`await` in it, they return something to await; anywhere else they wait.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from resonate_nb import resonate
from resonate_nb.beside import gathering, racing, timers
from resonate_nb.beside.items import items_of
from resonate_nb.beside.worlds import awaits
from resonate_nb.errors import UsageError

if TYPE_CHECKING:
    from resonate_nb.durations import Duration


def gather(*items: Any, return_exceptions: bool = False) -> Any:
    """Return a list of what all of them give, in their order.

    `gather(f.submit(1), lambda: approve("Go on?"))`, or `await gather(af(1), aapprove("Go on?"))`. All come
    to their end, also where one of them fails. Inside a durable cell or function each one's calls are
    counted for themselves, so that it does not matter which of them comes first.

    Parameters
    ----------
    items
        Handles, as `f.submit(...)` returns them; functions without arguments, each of which is called in a
        thread; in asynchronous code coroutines and whatever else can be awaited.
    return_exceptions
        Put the exception of one that failed in its place, instead of raising the first at the end.

    Raises
    ------
    Pending
        Questions among them wait for a person, and nobody here can answer.
    UsageError
        One of them can't be waited for.
    """
    asynchronous = awaits(sys._getframe(1))  # noqa: SLF001 (there is no other way to the caller)
    begun = items_of("gather", items, awaits=asynchronous)
    function = gathering.agather if asynchronous else gathering.gather
    return function(begun, return_exceptions=return_exceptions)


def race(*competitors: Any, id: str | None = None) -> Any:
    """Return what the first gives that is settled; the others are canceled.

    `race(lambda: approve("Drop 1,203 rows?"), lambda: sleep("2d"))` gives the answer, or None after two days;
    in asynchronous code `await race(aapprove("Drop 1,203 rows?"), sleep("2d"))`. The decision is a promise:
    when the calling code runs again the same one has won, and the others do not begin. With it the losers'
    questions and timers are canceled, and calls that nobody else computes. An exception wins, too.

    Parameters
    ----------
    competitors
        Handles, as `f.submit(...)` returns them; functions without arguments, each of which is called in a
        thread; in asynchronous code coroutines and whatever else can be awaited.
    id
        An id of your own choice, needed outside of durable cells and functions.

    Raises
    ------
    Pending
        A question among them waits for a person, nobody here can answer, and nothing else is computed.
    UsageError
        There are none, one of them can't be waited for, or an id is needed.
    """
    if not competitors:
        raise UsageError("a race needs competitors: race(lambda: approve(...), lambda: sleep(...))")
    asynchronous = awaits(sys._getframe(1))  # noqa: SLF001 (there is no other way to the caller)
    begun = items_of("race", competitors, awaits=asynchronous)
    return (racing.arace if asynchronous else racing.race)(resonate.default().execution, begun, id)


def sleep(duration: Duration, *, id: str | None = None) -> Any:
    """Wait for `"1h"`, `"2d"`, some seconds or a timedelta; the time goes on while no kernel runs.

    `sleep("1h")`, or `await sleep("1h")`. It is counted from the first call: what is resumed sleeps for the
    rest. `resonate-nb resolve ID` ends it earlier.

    Parameters
    ----------
    duration
        How long.
    id
        An id of your own choice, needed outside of durable cells and functions.

    Raises
    ------
    PromiseCanceled
        Somebody canceled the timer.
    UsageError
        It is no duration, or an id is needed.
    """
    asynchronous = awaits(sys._getframe(1))  # noqa: SLF001 (there is no other way to the caller)
    return (timers.asleep if asynchronous else timers.sleep)(resonate.default().execution, duration, id)
