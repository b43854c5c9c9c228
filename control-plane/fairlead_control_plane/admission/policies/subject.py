"""
A request as policies see it.

Source: k8s.io/apiserver pkg/admission/plugin/cel/condition.go (CreateAdmissionRequest).
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.policies.parts import KINDS, scale_of
from fairlead_control_plane.kinds.record import Resource, Version

_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True, slots=True)
class Place:
    """A resource in one version; ``version`` is how its objects are to be shown."""

    group: str
    plural: str
    kind: str
    version: str


class Subject:
    """
    One write, with what is worked out of it once for all policies.

    Attributes:
        namespace: As Kubernetes counts: of a namespace itself, its name.
        name: As the request names it; ``""`` where a whole collection is deleted.
        is_namespace: Whether it is about a namespace (or a part of one).
    """

    __slots__ = ("_others", "_part", "attributes", "is_namespace", "name", "namespace", "place")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        resource = attributes.resource
        self.place = _place(resource, attributes.version)
        self.is_namespace = not resource.group and resource.plural == "namespaces"
        self.namespace = attributes.namespace
        if self.is_namespace:
            self.namespace = "" if attributes.operation == "CREATE" else attributes.name
        self.name = "" if attributes.is_one_of_many else attributes.name
        self._others: tuple[Place, ...] | None = None
        self._part = KINDS.get(attributes.subresource)

    @property
    def equivalents(self) -> tuple[Place, ...]:
        """The other versions of the same objects."""
        if self._others is None:
            resource, asked = self.attributes.resource, self.attributes.version
            self._others = tuple(
                _place(resource, version.name)
                for version in resource.versions
                if version.served and version.name != asked
            )
        return self._others

    @property
    def home(self) -> str:
        """The namespace whose object expressions see; ``""`` for none."""
        return "" if self.is_namespace else self.namespace

    def seen_as(self, obj: JsonObject | None, place: Place) -> JsonObject | None:
        """Return an object of the request in the version that a policy is about."""
        if obj is None:
            return None
        resource = self.attributes.resource
        if self.attributes.subresource == "scale":
            paths = next((one.scale for one in resource.versions if one.name == self.place.version), None)
            return obj if paths is None else scale_of(paths, obj)
        if place is self.place or self._part is not None:
            return obj
        versions = {version.name: version for version in resource.versions}
        return shown_in(resource, versions[self.place.version], versions[place.version], obj)

    def request(self, place: Place) -> JsonObject:
        """Return ``request`` for a policy that is about a place."""
        given = self.attributes
        found: JsonObject = {
            "uid": "",
            "kind": self._kind(place),
            "resource": _resource(place),
            "requestKind": self._kind(self.place),
            "requestResource": _resource(self.place),
            "operation": given.operation,
            "userInfo": given.user.as_json(),
            "object": None,
            "oldObject": None,
            "dryRun": given.dry_run,
            "options": self._options(),
        }
        for key, value in (
            ("subResource", given.subresource),
            ("requestSubResource", given.subresource),
            ("name", self.name),
            ("namespace", self.namespace),
        ):
            if value:
                found[key] = value
        return found

    def _kind(self, place: Place) -> JsonObject:
        group, version, kind = self._part or (place.group, place.version, place.kind)
        return {"group": group, "version": version, "kind": kind}

    @property
    def is_part(self) -> bool:
        """Tell whether something else than the object itself is written, in a form of its own."""
        return self._part is not None

    def _options(self) -> JsonObject:
        given = self.attributes
        options: JsonObject = {"kind": _OPTIONS.get(given.operation, ""), "apiVersion": "meta.k8s.io/v1"}
        if given.dry_run:
            options["dryRun"] = ["All"]
        if given.manager:
            options["fieldManager"] = given.manager
        if given.field_validation:
            options["fieldValidation"] = given.field_validation
        return options


def shown_in(resource: Resource, given: Version, wanted: Version, obj: JsonObject) -> JsonObject:
    """Return an object of one version in another; versions that a webhook converts differ in name alone here."""
    if given.conversion is not None:
        obj = given.conversion.to_storage(obj)
    if wanted.conversion is not None:
        return wanted.conversion.from_storage(obj)
    return {**obj, "apiVersion": resource.api_version(wanted.name)}


def _place(resource: Resource, version: str) -> Place:
    return Place(resource.group, resource.plural, resource.kind, version)


def _resource(place: Place) -> JsonObject:
    return {"group": place.group, "version": place.version, "resource": place.plural}
