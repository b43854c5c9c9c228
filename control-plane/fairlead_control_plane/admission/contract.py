"""What an admission plugin sees and does (order and meaning as in Kubernetes: all mutate, then all validate)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.kinds.record import Resource


@dataclass(slots=True)
class Reinvocation:
    """
    What policies changed, and which of them must see what others made of it.

    Attributes:
        is_wanted: Something was changed: all plugins are to see the object once more.
        is_second: They do.
        invoked, due: Evaluations that may be repeated, and those that must be.
        output: The object as policies left it, as JSON.
    """

    is_wanted: bool = False
    is_second: bool = False
    invoked: set[tuple[str, ...]] = field(default_factory=set)
    due: set[tuple[str, ...]] = field(default_factory=set)
    output: bytes = b""

    def repeat_all(self) -> None:
        """Make all evaluations due that there were so far."""
        self.due |= self.invoked
        self.invoked.clear()


@dataclass(slots=True)
class Attributes:
    """
    One write under review.

    Attributes:
        operation: ``CREATE``, ``UPDATE``, ``DELETE`` or ``CONNECT``.
        obj: The new object, changed in place by ``admit``; None for DELETE.
        old: The stored object; None for CREATE. Never changed.
        warnings: Texts sent to the client as ``Warning: 299`` headers.
        manager, field_validation: As asked for in the query; ``""`` where it says nothing.
        reinvocation: Noted by policies that change objects.
        is_one_of_many: Nobody named this object: a whole collection is deleted.
    """

    operation: str
    resource: Resource
    version: str
    cluster: str
    namespace: str
    name: str
    subresource: str
    user: User
    obj: JsonObject | None
    old: JsonObject | None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    manager: str = ""
    field_validation: str = ""
    reinvocation: Reinvocation | None = None
    is_one_of_many: bool = False


class Plugin(Protocol):
    """One rule or group of rules. Both methods refuse by raising an ``ApiError`` (usually ``Forbidden``)."""

    async def admit(self, attributes: Attributes) -> None:
        """Change ``attributes.obj`` where the rule says so; called before validation."""

    async def validate(self, attributes: Attributes) -> None:
        """Check the final object; must not change it."""
