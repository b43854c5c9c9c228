"""What an admission plugin sees and does (order and meaning as in Kubernetes: all mutate, then all validate)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.kinds.record import Resource


@dataclass(slots=True)
class Attributes:
    """
    One write under review.

    Attributes:
        operation: ``CREATE``, ``UPDATE``, ``DELETE`` or ``CONNECT``.
        obj: The new object, changed in place by ``admit``; None for DELETE.
        old: The stored object; None for CREATE. Never changed.
        warnings: Texts sent to the client as ``Warning: 299`` headers.
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


class Plugin(Protocol):
    """One rule or group of rules. Both methods refuse by raising an ``ApiError`` (usually ``Forbidden``)."""

    async def admit(self, attributes: Attributes) -> None:
        """Change ``attributes.obj`` where the rule says so; called before validation."""

    async def validate(self, attributes: Attributes) -> None:
        """Check the final object; must not change it."""
