"""What the registry's parts work with: its surroundings, and one request's target."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from secrets import choice

from fairlead_api import JsonObject
from fairlead_api.request import SYSTEM, User
from fairlead_control_plane.admission.chain import Chain
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.kinds.change import Effects
from fairlead_control_plane.kinds.record import Resource, Version
from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.watch.hub import Hub

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no digits that look like letters, as in Kubernetes' generated names."""


def random_suffix() -> str:
    """Return the five characters that ``generateName`` appends."""
    return "".join(choice(_SUFFIX_LETTERS) for _ in range(5))


def new_uid() -> str:
    """Return a fresh ``metadata.uid``."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Target:
    """
    What one request is about, looked up in the catalog.

    Attributes:
        version: The version asked for; the stored one is ``resource.storage_version``.
        cluster: Logical cluster name; ``*`` only for list and watch.
        namespace: ``""`` for cluster-scoped resources and for "all namespaces".
        name: ``""`` for collections.
        warnings: Collected for the client as the request proceeds.
        dry_run: For what is done by a :data:`VirtualResource`, which gets no options.
        is_one_of_many: The request is about a collection; this is one object of it.
        is_confined: Whether webhooks of its users are asked at public addresses only.
    """

    resource: Resource
    version: Version
    cluster: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    user: User = SYSTEM
    warnings: list[str] = field(default_factory=list)
    dry_run: bool = False
    is_one_of_many: bool = False
    is_confined: bool = True

    @property
    def key(self) -> str:
        """Return the store key of the object named."""
        return keys.object_key(self.resource, self.cluster, self.namespace, self.name)

    @property
    def prefix(self) -> str:
        """Return the prefix of the collection."""
        cluster = "" if self.cluster == "*" else self.cluster
        return keys.range_prefix(self.resource, cluster, self.namespace)

    @property
    def api_version(self) -> str:
        """Return the ``apiVersion`` objects are shown in."""
        return self.resource.api_version(self.version.name)

    @property
    def as_stored(self) -> Target:
        """Return the target in the version objects are stored in."""
        return self if self.version.storage else replace(self, version=self.resource.storage_version)


VirtualResource = Callable[[Target, JsonObject], Awaitable[JsonObject]]
"""
Answers a create that is never stored (access reviews, token requests): the decoded body in, the answer's object out.

Registered by (group, ``plural`` or ``plural/subresource``). Raises ``ApiError``.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """
    The registry's surroundings; ``now_s`` gives seconds since the epoch.

    Attributes:
        virtual: Handlers of resources and subresources that are not stored.
        watch_s: Seconds a watch lasts when the client does not say.
        bookmark_s: Seconds between bookmarks.
    """

    store: Store
    catalog: Catalog
    hub: Hub
    admission: Chain
    effects: tuple[Effects, ...] = ()
    virtual: Mapping[tuple[str, str], VirtualResource] = field(default_factory=dict)
    now_s: Callable[[], float] = time.time
    new_uid: Callable[[], str] = new_uid
    suffix: Callable[[], str] = random_suffix
    watch_s: Callable[[], float] = lambda: 1800.0
    bookmark_s: float = 60.0
    marks_cluster: bool = True
    """Whether every object carries ``kcp.io/cluster``; not where there are no workspaces."""

    def timestamp(self) -> str:
        """Return now as ``metadata`` shows it: RFC 3339, whole seconds, UTC."""
        return at(self.now_s())


def at(seconds: float) -> str:
    """Return a moment (seconds since the epoch) as RFC 3339 text in whole seconds."""
    return _whole(int(seconds))


@lru_cache(8)
def _whole(seconds: int) -> str:
    """Each write asks for the present second several times, and so do all others of that second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
