"""
The admission plugins in their order: all mutate, then all validate.

A write calls :meth:`Chain.admit` before the object is validated and :meth:`Chain.validate` on the final object.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_control_plane.admission.contract import Attributes, Plugin


class Chain:
    """An ordered list of plugins; the first refusal ends it."""

    def __init__(self, plugins: Sequence[Plugin] = ()) -> None:
        self._plugins = tuple(plugins)

    async def admit(self, attributes: Attributes) -> None:
        """Let every plugin change the object, once more when policies changed it; raises the first refusal."""
        for plugin in self._plugins:
            await plugin.admit(attributes)
        again = attributes.reinvocation
        if again is not None and again.is_wanted:
            again.is_second = True
            for plugin in self._plugins:
                await plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Let every plugin check the final object; raises the first refusal."""
        for plugin in self._plugins:
            await plugin.validate(attributes)
