"""
What a resource is.

One frozen record per (group, resource), whoever defined it; the registry serves every record with the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_api.request import User

if TYPE_CHECKING:
    from fairlead_schema.fieldset import FieldSet
    from fairlead_schema.structural import Structural


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column: ``json_path`` for schemas, ``cell`` for built-in kinds that compute it (given the object)."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0
    json_path: str = ""
    cell: Callable[[JsonObject], object] | None = None


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where ``/scale`` reads and writes, as in CRDs: dotted paths with a leading dot."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    label_selector: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """
    How objects of a version differ from those of the storage version, as pure functions that return new objects.

    Both set ``apiVersion`` and ``kind``. Only for the few built-in kinds that one store row serves in two shapes.

    Attributes:
        is_whole: The shapes differ in more than names: objects are prepared, admitted and validated in the stored one.
    """

    to_storage: Callable[[JsonObject], JsonObject]
    from_storage: Callable[[JsonObject], JsonObject]
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """
    One served or stored version of a resource.

    Attributes:
        schema: Compiled structural schema (defaults, pruning, list types); compiled lazily and shared by content.
        open_api: The raw OpenAPI v3 schema, for publishing; ``{}`` when built in (the built-in document has it).
        subresources: ``status``, ``scale`` and kind-specific ones (``token``, ``finalize``, ``binding``, ``eviction``).
        selectable: JSON paths (``.spec.nodeName``) usable in field selectors beside metadata.name and .namespace.
        conversion: None when the stored bytes are what is served.
        is_as_stored: Objects stored under the definition as it is now are shown as they are, but for ``apiVersion``;
            false for a custom version whose schema is not the storage version's.
    """

    name: str
    schema: Callable[[], Structural]
    open_api: JsonObject = field(default_factory=dict)
    served: bool = True
    storage: bool = True
    subresources: frozenset[str] = frozenset()
    scale: ScalePaths | None = None
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    deprecated: bool = False
    deprecation_warning: str = ""
    conversion: Conversion | None = None
    is_as_stored: bool = True


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes an object, and when: ``now`` as ``metadata`` shows it (RFC 3339, whole seconds, UTC)."""

    user: User
    now: str


@dataclass(frozen=True, slots=True)
class Subresource:
    """
    What is special about writing a part of an object.

    Attributes:
        prepare: ``prepare(new, old, writer)`` changes ``new`` in place. In ``status`` everything but metadata and
            status is as it was by then; elsewhere it puts back itself what may not change.
        validate: Returns what is wrong with ``new`` beside its metadata; stands in for the kind's own validation.
        resets: What those who write it do not own; None for what any kind resets.
        warn: Returns texts for the client, like the kind's own ``warn``, which is silent here.
        settle: As ``prepare``, but once it is noted who manages what: what it writes belongs to nobody.
    """

    prepare: Callable[[JsonObject, JsonObject, Writer], None] | None = None
    validate: Callable[[JsonObject, JsonObject], Sequence[Cause]] | None = None
    resets: FieldSet | None = None
    warn: Callable[[JsonObject], Sequence[str]] | None = None
    settle: Callable[[JsonObject, JsonObject, Writer], None] | None = None


@dataclass(frozen=True, slots=True)
class Strategy:
    """
    The few things that differ by kind, as pure functions. All are optional.

    ``prepare_create(obj)`` and ``prepare_update(new, old)`` change ``new`` in place (server-set fields, defaults
    that depend on other fields). ``validate(obj)`` and ``validate_update(new, old)`` return what is wrong.
    ``settle(new, old)`` (old is None for a create) comes after who manages which fields is noted: what the server gives
    out, keeps and takes back belongs to nobody. ``warn(new, old)`` returns texts for the client.
    ``validate_name(name)`` returns messages; the default is a DNS-1123 subdomain. ``generation_of(obj)`` returns
    the part whose change bumps ``metadata.generation`` (None: the kind has no generation).
    ``graceful_s(obj, asked_s)`` returns the seconds a deletion waits for a kubelet (0: at once).
    """

    prepare_create: Callable[[JsonObject], None] | None = None
    prepare_update: Callable[[JsonObject, JsonObject], None] | None = None
    prepare_status: Callable[[JsonObject], None] | None = None
    """Changes an object in place whose status alone is written."""
    sign: Callable[[JsonObject, Writer], None] | None = None
    """Writes into a new object, once prepared, what depends on who makes it and when."""
    validate_change: Callable[[JsonObject, JsonObject], Sequence[Cause]] | None = None
    """All that is checked of an update beside its metadata, in place of ``validate`` and ``validate_update``."""
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    """Those that are written in a way of their own, by name."""
    resets: FieldSet | None = None
    """What those who write the whole object do not own; None: its status, where it has one."""
    settle: Callable[[JsonObject, JsonObject | None], None] | None = None
    warn: Callable[[JsonObject, JsonObject | None], Sequence[str]] | None = None
    validate: Callable[[JsonObject], Sequence[Cause]] | None = None
    validate_update: Callable[[JsonObject, JsonObject], Sequence[Cause]] | None = None
    validate_name: Callable[[str], Sequence[str]] | None = None
    generation_of: Callable[[JsonObject], object] | None = None
    graceful_s: Callable[[JsonObject, int | None], int] | None = None
    create_on_update: bool = False
    """PUT or apply of a missing object creates it (leases, events, endpoints …); apply always may."""
    demands_version: bool = False
    """An update must name the version it replaces (no AllowUnconditionalUpdate); of custom kinds every one must."""
    has_expressions: bool = False
    """Users' expressions are compiled to validate it, a millisecond and more for each: beside the event loop."""
    virtual: bool = False
    """Never stored: access reviews, token reviews. The registry hands creates to the ``VirtualResource`` registered."""
    verbs: frozenset[str] = frozenset(
        {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    )


@dataclass(frozen=True, slots=True)
class ConversionWebhook:
    """Who converts between the versions of a definition: ``url``, and the authorities it is trusted by (base64 PEM)."""

    url: str
    ca_bundle: str = ""
    review_versions: tuple[str, ...] = ("v1",)


@dataclass(frozen=True, slots=True)
class Resource:
    """
    A resource of some logical cluster.

    Attributes:
        group: ``""`` for core.
        identity: API identity hash of a bound resource; ``""`` for built-in kinds and a workspace's own CRDs.
        origin: ``builtin``, ``own`` (our kinds), ``crd`` or ``bound``.
        owner: For ``crd`` the CRD's uid; for ``bound`` (and our own kinds that came by a binding) the export as
            ``<its cluster>/<its name>``, the same for all who bind it, so that records are shared; else ``""``.
        stored_as: The group whose store range holds the objects (``core``), where that is not ``group``:
            ``events.k8s.io`` shows core's Events through ``Version.conversion``.
        since: Store revision of the definition: what was written before may lack its defaults and have fields that it
            dropped. 0 for kinds that nobody defined.
        converter: Converts between its versions; None where they differ in ``apiVersion`` and schema alone.
        is_leaving: Its definition is being deleted, so that nothing can be created any more.
    """

    group: str
    plural: str
    kind: str
    versions: tuple[Version, ...]
    namespaced: bool = True
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    identity: str = ""
    origin: str = "builtin"
    owner: str = ""
    strategy: Strategy = Strategy()
    stored_as: str = ""
    since: int = 0
    is_leaving: bool = False
    converter: ConversionWebhook | None = None

    @property
    def name(self) -> str:
        """Return ``<plural>.<group>``, or the plural alone for core: how Kubernetes names a resource in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def told_group(self) -> str:
        """Return the group that messages about its objects name: where they are stored decides, not who asks."""
        return "" if self.stored_as == "core" else self.group

    @property
    def storage_version(self) -> Version:
        """Return the version objects are stored in."""
        return next(version for version in self.versions if version.storage)

    def version(self, name: str) -> Version | None:
        """Return the served version of that name."""
        return next((version for version in self.versions if version.name == name and version.served), None)

    def api_version(self, version: str) -> str:
        """Return the ``apiVersion`` text of objects in that version."""
        return f"{self.group}/{version}" if self.group else version
