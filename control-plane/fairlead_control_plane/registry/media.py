"""
In which form an answer is wanted, and in which form a body came.

Source: k8s.io/apiserver pkg/endpoints/handlers/negotiation; meta/v1 Table and PartialObjectMetadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead_api.errors import BadRequest, NotAcceptable, UnsupportedMediaType

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_YAML = "application/apply-patch+yaml"
APPLY_CBOR = "application/apply-patch+cbor"
OBJECT, TABLE, PARTIAL = "", "Table", "PartialObjectMetadata"
_BODIES = (JSON, YAML, PROTOBUF)
_ANY = ("*/*", "application/*")
_META_VERSIONS = frozenset({"v1", "v1beta1"})
_ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_STREAMS = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"


@dataclass(frozen=True, slots=True)
class Form:
    """
    The form of an answer.

    Attributes:
        kind: :data:`OBJECT`, :data:`TABLE` or :data:`PARTIAL`.
        version: Of ``meta.k8s.io``, for the latter two.
        include: What rows of a Table carry: ``Metadata``, ``Object`` or ``None``.
        yaml: True for YAML, else JSON.
    """

    kind: str = OBJECT
    version: str = "v1"
    include: str = "Metadata"
    yaml: bool = False

    @property
    def meta_version(self) -> str:
        """Return the ``apiVersion`` of the answer's own kind."""
        return f"meta.k8s.io/{self.version}"


def accepted(
    accept: str,
    *,
    is_list: bool = False,
    is_watch: bool = False,
    include: str = "",
    go_type: str = "object",
    has_columns: bool = True,
) -> Form:
    """
    Return the first acceptable form.

    Args:
        accept: The header; ``""`` accepts everything.
        is_list: A list is asked for, which ``PartialObjectMetadataList`` fits and a watch or get does not.
        is_watch: A stream of objects is asked for, which YAML cannot frame.
        include: ``includeObject`` of the query.
        go_type: What Kubernetes calls the answer's type (``apps.DeploymentList``), for its messages.
        has_columns: Whether there is a Table of it; reviews have none.

    Raises:
        NotAcceptable: Nothing fits.
        BadRequest: ``include`` is none of a Table's.
    """
    if accept in {"", "*/*", JSON}:
        return Form()
    asked = list(clauses(accept))
    for media, parameters in asked:
        form = _form(media, parameters, include=include)
        if form is not None and not (is_watch and form.yaml) and (has_columns or form.kind != TABLE):
            if form.kind == PARTIAL:
                _check_number(parameters["as"], go_type, is_list=is_list)
            return form
    raise _not_acceptable({media for media, _ in asked}, is_watch=is_watch)


def plain(accept: str, *, is_route: bool = True) -> Form:
    """
    Return the first acceptable form of what has no other forms (discovery).

    Args:
        accept: The header; ``""`` accepts everything.
        is_route: The path stands in the table of routes, which refuses unknown media types in words of its own.

    Raises:
        NotAcceptable: Nothing fits.
    """
    asked = list(clauses(accept or "*/*"))
    for media, parameters in asked:
        if media in {JSON, YAML, *_ANY} and "as" not in parameters:
            return Form(yaml=media == YAML)
    raise _not_acceptable({media for media, _ in asked} if is_route else {JSON}, is_watch=False)


def _not_acceptable(asked: set[str], *, is_watch: bool) -> NotAcceptable:
    """Return the 406: of the route where no media type is known, of the encoder where only its parameters are not."""
    if asked & {*_BODIES, *_ANY}:
        error = NotAcceptable(
            f"only the following media types are accepted: {_STREAMS if is_watch and JSON not in asked else _ACCEPTED}"
        )
        error.has_details = False
        return error
    shown = f"{_ACCEPTED}, {_STREAMS}" if is_watch else _ACCEPTED
    return NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {shown}")


def _check_number(wanted: str, go_type: str, *, is_list: bool) -> None:
    """Refuse the metadata of one object for a list, and the other way round."""
    is_for_list = wanted.endswith("List")
    if is_for_list != is_list:
        found = "is a list" if is_list else "is not a list"
        error = NotAcceptable(f"you requested {wanted}, but the requested object {found} (*{go_type})")
        error.has_details = False
        raise error


def _form(media: str, parameters: dict[str, str], *, include: str) -> Form | None:
    if media not in {JSON, YAML, *_ANY}:
        return None
    yaml = media == YAML
    wanted = parameters.get("as", "")
    if not wanted:
        return Form(yaml=yaml)
    if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in _META_VERSIONS:
        return None
    version = parameters["v"]
    if wanted == TABLE:
        if include not in {"", "None", "Metadata", "Object"}:
            raise BadRequest(
                f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": '
                "must be 'Metadata', 'Object', 'None', or empty"
            )
        return Form(TABLE, version, include or "Metadata", yaml)
    if wanted in (PARTIAL, PARTIAL + "List"):
        return Form(PARTIAL, version, yaml=yaml)
    return None


def clauses(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the media types of an Accept header, best first; equal ones in their order."""
    found = []
    for part in accept.split(","):
        media, *rest = (piece.strip() for piece in part.split(";"))
        pairs = (piece.partition("=") for piece in rest)
        parameters = {key.strip().lower(): value.strip() for key, _, value in pairs}
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        if media and quality > 0:
            found.append((quality, media.lower(), parameters))
    for _, media, parameters in sorted(found, key=lambda clause: -clause[0]):
        yield media, parameters


def body_type(content_type: str) -> str:
    """
    Return the media type of a create's or update's body; JSON when none is named.

    Raises:
        UnsupportedMediaType: It is not one of JSON, YAML, protobuf.
    """
    media = content_type.split(";", maxsplit=1)[0].strip().lower()
    if not media:
        return JSON
    if media not in _BODIES:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: " + _ACCEPTED
        )
    return media


def patch_type(content_type: str, allowed: tuple[str, ...]) -> str:
    """
    Return the media type of a patch.

    Raises:
        UnsupportedMediaType: It is not among ``allowed``.
    """
    media = content_type.split(";", maxsplit=1)[0].strip().lower()
    if media not in allowed:
        if STRATEGIC_PATCH in allowed:
            error = UnsupportedMediaType("415: Unsupported Media Type")
            error.has_details = True
            raise error
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(allowed)
        )
    return media
