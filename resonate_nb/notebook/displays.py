"""An output under a cell that can be replaced later, from any thread and any other cell."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Display:
    """One output of the running cell; front ends find it again by its name."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._transient = {"display_id": uuid.uuid4().hex}

    def show(self, content: Mapping[str, Any]) -> None:
        """Show the content, by media type, as a new output."""
        self._publisher.publish(data=dict(content), metadata={}, transient=self._transient)

    def update(self, content: Mapping[str, Any]) -> None:
        """Replace what is shown."""
        self._publisher.publish(data=dict(content), metadata={}, transient=self._transient, update=True)
