"""
Everything that can be answered with a Kubernetes ``Status``.

A subclass exists only where a caller acts differently on it (retry, re-read, give up, tell the user);
``from_status`` turns a server's answer back into the same class, so code on either side of the wire
catches the same names.

Source: Kubernetes API conventions, "Response Status Kind"; k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject


@dataclass(frozen=True, slots=True)
class Cause:
    """
    One field that is wrong.

    Attributes:
        reason: ``FieldValueInvalid``, ``FieldValueRequired``, ``FieldValueDuplicate``,
            ``FieldValueNotSupported``, ``FieldValueForbidden``, ``FieldValueTooLong``, ``FieldValueTypeInvalid``,
            ``FieldManagerConflict`` and so on, as in Kubernetes.
        message: Text without the field's path.
        field: Path such as ``spec.template.spec.containers[0].image``; empty for the whole object.
    """

    reason: str
    message: str
    field: str = ""

    def as_json(self) -> JsonObject:
        """Return the entry of ``details.causes``; what is empty is left out, as in Kubernetes."""
        body = {"reason": self.reason, "message": self.message} if self.reason else {"message": self.message}
        return {**body, "field": self.field} if self.field else body


class ApiError(Exception):
    """
    An answer other than success. ``code`` and ``reason`` are fixed by the subclass.

    Args:
        message: One sentence for people.
        group, kind, name, uid: What ``details`` says of the object; ``kind`` holds the plural resource name
            where Kubernetes does so (all answers but 422, which carries the kind).
        causes: Fields at fault.
        retry_after_s: Seconds after which a retry makes sense; also sent as the ``Retry-After`` header.

    Attributes:
        is_status: False when the answer was no ``Status``: perhaps nobody who knows has said it.
    """

    code = 500
    reason = "InternalError"
    has_details = False
    """Whether ``details`` is there even when it says nothing, as in Kubernetes' generic answers."""
    is_status = True

    def __init__(  # noqa: PLR0913 - mirrors StatusDetails; all but the message are keywords
        self,
        message: str,
        *,
        group: str = "",
        kind: str = "",
        name: str = "",
        uid: str = "",
        causes: Iterable[Cause] = (),
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.group = group
        self.kind = kind
        self.name = name
        self.uid = uid
        self.causes: Sequence[Cause] = tuple(causes)
        self.retry_after_s = retry_after_s

    def status(self) -> JsonObject:
        """Return the ``Status`` object (apiVersion v1) that leaves the server."""
        details: JsonObject = {}
        for key, value in (
            ("name", self.name),
            ("group", self.group),
            ("kind", self.kind),
            ("uid", self.uid),
        ):
            if value:
                details[key] = value
        if self.causes:
            details["causes"] = [cause.as_json() for cause in self.causes]
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        body: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if details or self.has_details:
            body["details"] = details
        body["code"] = self.code
        return body


class BadRequest(ApiError):
    """The request cannot be understood (400)."""

    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    """Nobody vouches for the caller (401)."""

    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    """The caller may not do this, or policy refuses it (403)."""

    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    """There is no such object, resource or path (404)."""

    code, reason = 404, "NotFound"
    has_details = True


class NoSuchPath(NotFound):
    """Nobody serves anything of that group or below that path; over HTTP it is the bare page of Go's servers."""


class MethodNotAllowed(ApiError):
    """The resource exists but not this verb (405)."""

    code, reason = 405, "MethodNotAllowed"
    has_details = True


class NotAcceptable(ApiError):
    """None of the media types in ``Accept`` can be served (406)."""

    code, reason = 406, "NotAcceptable"
    has_details = True


class AlreadyExists(ApiError):
    """Create met an object of that name (409)."""

    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    """The object changed meanwhile, a precondition failed, or another manager owns the field (409)."""

    code, reason = 409, "Conflict"


class Expired(ApiError):
    """The resourceVersion or continue token lies before the last compaction (410): list again."""

    code, reason = 410, "Expired"


class RequestTooLarge(ApiError):
    """The body or what it would make is over the limit (413)."""

    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The body's ``Content-Type`` is not accepted here (415)."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """Understood, but fields are wrong (422)."""

    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    """Ask again after ``retry_after_s`` (429)."""

    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    """A defect of ours, or of the store (500)."""

    code, reason = 500, "InternalError"


class Unclassified(ApiError):
    """What Kubernetes answers with 500 and no reason, such as a config that server-side apply cannot read."""

    code, reason = 500, ""


class ServiceUnavailable(ApiError):
    """Something this answer needs is away; ask again later (503)."""

    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    """The server could not tell in time; the outcome of a write is unknown (504)."""

    code, reason = 504, "Timeout"


_CLASSES: dict[str, type[ApiError]] = {
    cls.reason: cls
    for cls in (
        BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, AlreadyExists, Conflict,
        Expired, RequestTooLarge, UnsupportedMediaType, Invalid, TooManyRequests, InternalError,
        ServiceUnavailable, Timeout,
    )
}  # fmt: skip
_CLASSES["Gone"] = Expired
_BY_CODE: dict[int, type[ApiError]] = {
    cls.code: cls for cls in _CLASSES.values() if cls.reason not in {"AlreadyExists", "InternalError"}
}


def from_status(code: int, body: JsonObject) -> ApiError:
    """
    Rebuild the error a server answered with.

    Args:
        code: HTTP status, used when the body is no ``Status`` or names an unknown reason.
        body: Decoded body; ``{}`` when it was not JSON.

    Returns:
        An instance of the subclass named by ``reason``, else by ``code``, else a plain :class:`ApiError`
        whose ``code`` attribute is set to ``code``.
    """
    is_status = body.get("kind") == "Status"
    if not is_status:
        body = {}
    details = body.get("details") or {}
    cls = _CLASSES.get(str(body.get("reason"))) or _BY_CODE.get(code) or (InternalError if code == 500 else ApiError)
    error = cls(
        str(body.get("message") or f"the server answered with HTTP {code}"),
        group=details.get("group", ""),
        kind=details.get("kind", ""),
        name=details.get("name", ""),
        uid=details.get("uid", ""),
        causes=[
            Cause(c.get("reason", ""), c.get("message", ""), c.get("field", "")) for c in details.get("causes") or ()
        ],
        retry_after_s=int(details.get("retryAfterSeconds") or 0),
    )
    error.code = code
    error.is_status = is_status
    return error
