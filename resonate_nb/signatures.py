"""How the arguments of a call are bound to a function's parameters, defaults applied."""

from __future__ import annotations

from inspect import Parameter
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.shortcut import UNCHANGING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from inspect import Signature

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Binding:
    """Binds as `inspect.Signature.bind` does, which takes ten times as long for the calls that most are."""

    def __init__(self, signature: Signature) -> None:
        parameters = signature.parameters.values()
        self._signature = signature
        self.defaults = {
            each.name: each.default for each in parameters if each.default is not Parameter.empty
        }
        plain = [each.name for each in parameters if each.kind in _BY_POSITION]
        others = [each for each in parameters if each.kind not in _BY_POSITION]
        self._names = tuple(plain)
        self._least = sum(name not in self.defaults for name in plain)
        self._most = -1 if any(each.name not in self.defaults for each in others) else len(plain)
        self._left_out = [
            {name: self.defaults[name] for name in plain[count:] if name in self.defaults}
            | {each.name: each.default for each in others}
            for count in range(len(plain) + 1)
        ]  # by the number of arguments that are given by position

    @property
    def defaults_never_change(self) -> bool:
        """Whether all defaults are numbers, texts and their like."""
        return all(type(each) in UNCHANGING for each in self.defaults.values())

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments by name, in the order of the parameters.

        Raises
        ------
        TypeError
            They don't fit the signature.
        """
        count = len(args)
        if not kwargs and self._least <= count <= self._most:
            bound = dict(zip(self._names, args, strict=False))
            if left_out := self._left_out[count]:
                bound.update(left_out)
            return bound
        arguments = self._signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        return dict(arguments.arguments)
