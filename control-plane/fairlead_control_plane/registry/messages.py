"""
The errors of the registry, in Kubernetes' words.

Source: k8s.io/apimachinery pkg/api/errors/errors.go, k8s.io/apiserver pkg/registry and pkg/storage, v0.36.3.
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_api.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Cause,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Timeout,
    Unclassified,
)
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.kinds.record import Resource
from fairlead_schema.causes import compact

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def not_found(resource: Resource, name: str) -> NotFound:
    """Return the 404 for an object."""
    return NotFound(f'{resource.name} "{name}" not found', group=resource.group, kind=resource.plural, name=name)


def no_such_resource() -> NotFound:
    """Return the 404 for a resource or subresource nobody serves."""
    return NotFound("the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> AlreadyExists:
    """Return the 409 for a create of what is there."""
    return AlreadyExists(
        f'{resource.name} "{name}" already exists', group=resource.group, kind=resource.plural, name=name
    )


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> Conflict:
    """Return the 409 for a write that met another state than it expected."""
    return Conflict(
        f'Operation cannot be fulfilled on {resource.name} "{name}": {why}',
        group=resource.group,
        kind=resource.plural,
        name=name,
    )


def precondition(resource: Resource, name: str, why: str) -> Conflict:
    """Return the 409 for a delete whose preconditions do not hold; it names the kind, not the resource."""
    group = resource.told_group
    kind = f"{resource.kind}.{group}" if group else resource.kind
    return Conflict(
        f'Operation cannot be fulfilled on {kind} "{name}": {why}', group=group, kind=resource.kind, name=name
    )


def unconditional(resource: Resource, name: str) -> Invalid:
    """Return the 422 for an update without a resourceVersion of a kind that demands one; it names the resource."""
    cause = Cause("FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion")
    return Invalid(
        f'{resource.name} "{name}" is invalid: {cause.field}: {cause.message}',
        group=resource.group,
        kind=resource.plural,
        name=name,
        causes=[cause],
    )


def forbidden(resource: Resource, name: str, why: str) -> Forbidden:
    """Return the 403 of a rule (not of authorization)."""
    return Forbidden(
        f'{resource.name} "{name}" is forbidden: {why}', group=resource.group, kind=resource.plural, name=name
    )


def method_not_supported(resource: Resource, verb: str) -> MethodNotAllowed:
    """Return the 405 for a verb a resource does not have."""
    return MethodNotAllowed(
        f'{verb} is not supported on resources of kind "{resource.name}"', group=resource.group, kind=resource.plural
    )


def method_not_allowed() -> MethodNotAllowed:
    """Return the 405 for a method a path does not have."""
    return MethodNotAllowed("the server does not allow this method on the requested resource")


def too_large_version(asked: int, current: int) -> Timeout:
    """Return the 504 for a resourceVersion that has not happened yet."""
    return Timeout(
        f"Timeout: Too large resource version: {asked}, current: {current}",
        causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
        retry_after_s=1,
    )


def too_old_version(asked: int, oldest: int) -> Expired:
    """Return the 410 for a watch from a compacted revision."""
    return Expired(f"too old resource version: {asked} ({oldest})")


def compacted() -> Expired:
    """Return the 410 for a list at a compacted revision."""
    return Expired("The resourceVersion for the provided list is too old.")


class ContinueExpired(Expired):
    """The 410 for a continue token from before the last compaction; carries a token that goes on inconsistently."""

    def __init__(self, token: str) -> None:
        super().__init__(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list."
        )
        self.token = token

    def status(self) -> JsonObject:
        """Return the ``Status`` with the token in its metadata."""
        body = super().status()
        body["metadata"] = {"continue": self.token}
        return body


def bad_version(text: str) -> Unclassified:
    """Return the 500 for a resourceVersion that is no number: a get or watch says no more in Kubernetes."""
    return Unclassified(_version_text(text))


def bad_list_version(text: str) -> BadRequest:
    """Return the 400 for a list at a resourceVersion that is no number."""
    return BadRequest(f"invalid resource version: {_version_text(text)}")


def _version_text(text: str) -> str:
    why = "value out of range" if text.isascii() and text.isdigit() else "invalid syntax"
    shown = compact(text)
    return f"resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: {why}"


def version_with_token() -> BadRequest:
    """Return the 400 for a list with both a resourceVersion and a continue token."""
    return BadRequest("specifying resource version is not allowed when using continue")


def invalid_options(kind: str, causes: list[Cause]) -> ApiError:
    """Return the 422 for query options of a request."""
    return invalid_object("meta.k8s.io", kind, "", causes)
