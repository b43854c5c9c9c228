"""
From the bytes of a body to an object of the kind asked for: typed, pruned and with its defaults.

Source: k8s.io/apiserver pkg/endpoints/handlers/{create,rest}.go, apimachinery pkg/runtime/serializer/json; field
validation: KEP-2885.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import yaml

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Cause, Invalid, RequestTooLarge, UnsupportedMediaType
from fairlead_api.field_errors import invalid, invalid_object
from fairlead_control_plane.kinds import facts, protobuf
from fairlead_control_plane.kinds.schemas import builtin_schema
from fairlead_control_plane.kinds.shape import normalise, walk_of
from fairlead_control_plane.kinds.strategies import embedded
from fairlead_control_plane.registry import bounds, media, syntax
from fairlead_control_plane.registry.call import Target
from fairlead_control_plane.registry.options import IGNORE, STRICT
from fairlead_schema.causes import json_type
from fairlead_schema.decoding import typed_problem
from fairlead_schema.strictjson import strict_json

LIMIT_BYTES = 3 << 20
"""Largest body, as in Kubernetes (MaxRequestBodyBytes)."""
_OBJECT_META = walk_of(f"{facts.META}.ObjectMeta")
_DELETE_OPTIONS = builtin_schema(f"{facts.META}.DeleteOptions")
_SPACED_COLON = re.compile(rb'"\s+:')
_SHOWN_BYTES = 30
_TEXT_OR_NULL = frozenset({str, type(None)})
_DEPTH = 200
"""Deepest nesting that is read: far more than any kind has, far less than what a recursive walk bears."""


def check_size(raw: bytes) -> None:
    """Raise ``RequestTooLarge`` for a body over the limit."""
    if len(raw) > LIMIT_BYTES:
        raise RequestTooLarge(f"Request entity too large: limit is {LIMIT_BYTES}")


def parse_json(raw: bytes, validation: str) -> tuple[Any, list[str]]:
    """
    Parse JSON; return the value and complaints about doubled keys (none looked for when they are ignored).

    Raises:
        BadRequest: It is not JSON, or nested too deeply.
        RequestTooLarge: It has too many members.
    """
    bounds.check_json(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"json parse error: {syntax.why(error)}") from error
    keys = count_keys(value)
    if validation == IGNORE or not isinstance(value, dict) or not _has_more_keys(raw, keys):
        return value, []
    return value, strict_json(raw)[1]


def _has_more_keys(raw: bytes, keys: int) -> bool:
    """Tell whether a text may have more keys than what was made of it; the exact answer costs ten times as much."""
    return raw.count(b'":') - raw.count(b'\\":') != keys or _SPACED_COLON.search(raw) is not None


def parse_yaml(raw: bytes) -> Any:
    """
    Parse one YAML document into JSON's values.

    Raises:
        BadRequest: It is not YAML, has aliases that multiply, or is nested too deeply.
        RequestTooLarge: It has too many members.
    """
    try:
        _check_yaml(raw)
        value = yaml.load(raw, Loader=_Loader)
        # To JSON and back: keys become text, and what JSON cannot say (bytes, sets, huge numbers) is refused.
        value = orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BadRequest(f"error decoding YAML: {error}") from error
    count_keys(value)
    return value


def doubled_yaml_keys(raw: bytes) -> list[str]:
    """Return what Go's decoder says of keys that a readable YAML document names twice, with their lines."""
    found: list[str] = []
    pending = [yaml.compose(raw, Loader=_Loader)]
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.SequenceNode):
            pending += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    found.append(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
                seen.add(key.value)
                pending.append(value)
    return found


_DECIMAL = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)\Z"),
    "tag:yaml.org,2002:float": re.compile(
        r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN))\Z"
    ),
}
"""Numbers as Go's YAML has them: none in base 60 (``1:30``), which takes the square of its length to read."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML without what JSON has not: dates stay text."""


def _check_yaml(raw: bytes) -> None:
    """
    Refuse what would grow or nest without bound when it is composed, which the C loader does in one go.

    Raises:
        BadRequest: Aliases (they can multiply), or deeper than anything reasonable.
        RequestTooLarge: More members than a body may have.
    """
    depth = 0
    for count, event in enumerate(yaml.parse(raw, Loader=_Loader)):
        if count > _EVENTS:
            raise bounds.too_many()
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEPTH:
                raise _too_deep()
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise BadRequest("error decoding YAML: aliases are not supported")


_EVENTS = 2 * bounds.BODY_MEMBERS
"""Most events of a body of YAML: a key and its value are two."""


def _too_deep() -> BadRequest:
    return BadRequest(f"the body is nested more than {_DEPTH} levels deep")


_Loader.yaml_implicit_resolvers = {
    first: [(tag, _DECIMAL.get(tag, pattern)) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def count_keys(value: Any, depth: int = 0) -> int:
    """Return how many keys a value holds; raises ``BadRequest`` when it is nested deeper than anything reasonable."""
    if depth > _DEPTH:
        raise _too_deep()
    if type(value) is dict:
        inner = [item for item in value.values() if type(item) is dict or type(item) is list]
        return len(value) + sum(count_keys(item, depth + 1) for item in inner)
    if type(value) is list:
        return sum(count_keys(item, depth + 1) for item in value)
    return 0


def decode(raw: bytes, content_type: str, target: Target, validation: str) -> JsonObject:
    """
    Decode a create's or update's body.

    Returns:
        The object in the target's version; warnings are left in ``target.warnings``.

    Raises:
        BadRequest, RequestTooLarge, UnsupportedMediaType.
    """
    check_size(raw)
    kind = media.body_type(content_type)
    problems: list[str] = []
    if kind == media.PROTOBUF:
        if target.version.open_api:
            raise UnsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json, application/yaml"
            )
        value = protobuf.decode(raw)
    elif kind == media.YAML:
        value = parse_yaml(raw)
    else:
        value, problems = _parsed_object(raw, target, validation)
    if target.version.open_api:
        _check_names(value, target)
    return finish(checked_kind(value, target), target, validation, problems, raw)


def _check_names(value: Any, target: Target) -> None:
    """
    Check that a body names the version and kind of a custom resource, as those of it must.

    Raises:
        BadRequest: Another version, or none.
        Invalid: Another kind.
    """
    if not isinstance(value, dict):
        return  # is refused as no object
    given = value.get("apiVersion") or ""
    if given != target.api_version:
        raise _other_version(str(given), target)
    problems = type_problems(value, target)
    if problems:
        raise other_type(value, problems)


def type_problems(value: JsonObject, target: Target) -> list[Cause]:
    """Return what is wrong with the kind and version that an object of a custom resource names."""
    kind, version = value.get("kind"), value.get("apiVersion")
    wanted = target.resource.kind, target.api_version
    causes = [] if kind == wanted[0] else [invalid("kind", kind, f"must be {wanted[0]}")]
    return causes if version == wanted[1] else [*causes, invalid("apiVersion", version, f"must be {wanted[1]}")]


def other_type(value: JsonObject, problems: list[Cause]) -> Invalid:
    """Return the 422 of an object of another kind, which is spoken of by the names that it has itself."""
    group = str(value.get("apiVersion")).rpartition("/")[0]
    return invalid_object(group, str(value.get("kind")), str((value.get("metadata") or {}).get("name") or ""), problems)


def _other_version(given: str, target: Target) -> BadRequest:
    return BadRequest(
        f"the API version in the data ({given}) does not match the expected API version ({target.api_version})"
    )


def parse_any(raw: bytes, content_type: str) -> JsonObject:
    """
    Parse a body that is not of the resource's own kind (DeleteOptions, Scale, TokenRequest), unchecked.

    Raises:
        BadRequest, RequestTooLarge, UnsupportedMediaType.
    """
    check_size(raw)
    kind = media.body_type(content_type)
    if kind == media.PROTOBUF:
        return protobuf.decode(raw)
    if kind == media.YAML:
        value = parse_yaml(raw)
    else:
        try:
            value, _ = parse_json(raw, IGNORE)
        except BadRequest as error:
            raise BadRequest(f"couldn't get version/kind; {error.message}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"couldn't get version/kind; {_not_an_object(value)}")
    return value


def parse_delete_options(raw: bytes, content_type: str) -> JsonObject:
    """
    Parse the DeleteOptions of a request.

    Raises:
        BadRequest: It is of another kind, or a field has the wrong type.
        RequestTooLarge, UnsupportedMediaType.
    """
    options = parse_any(raw, content_type)
    kind, version = options.get("kind") or "DeleteOptions", options.get("apiVersion") or "v1"
    if kind != "DeleteOptions":
        raise BadRequest(
            f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
        )
    text = _DELETE_OPTIONS().typed_errors(options)
    if text:
        raise BadRequest(text)
    return options


def _not_an_object(value: Any) -> str:
    return (
        f"json parse error: json: cannot unmarshal {_go_name(value)} into Go value of type "
        'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
        'Kind string "json:\\"kind,omitempty\\"" }'
    )


def _parsed_object(raw: bytes, target: Target, validation: str) -> tuple[Any, list[str]]:
    try:
        value, problems = parse_json(raw, validation)
    except BadRequest as error:
        raise _unrecognized(target, raw, f"couldn't get version/kind; {error.message}") from error
    if value is None:
        return {}, problems
    if not isinstance(value, dict):
        raise _unrecognized(target, raw, f"couldn't get version/kind; {_not_an_object(value)}")
    for name in ("apiVersion", "kind"):
        if type(value.get(name, "")) not in _TEXT_OR_NULL:
            why = f"json: cannot unmarshal {json_type(value[name])} into Go struct field .{name} of type string"
            raise _unrecognized(target, raw, f"couldn't get version/kind; json parse error: {why}")
    if target.version.open_api and not value.get("kind"):
        # Built-in kinds are known from the path; of custom ones Kubernetes wants to hear it.
        raise _unrecognized(target, raw, f"Object 'Kind' is missing in '{raw.decode(errors='replace')}'")
    return value, problems


def _unrecognized(target: Target, raw: bytes, text: str) -> BadRequest:
    """Return the 400 of a body that has no kind, with its beginning: as text if it may be JSON, else in hex."""
    start = raw[:_SHOWN_BYTES]
    shown = start.decode(errors="replace") if raw[:1] == b"{" else start.hex()
    shown = (shown + " ..." if len(raw) > _SHOWN_BYTES else shown) or "<empty>"
    return BadRequest(f"the object provided is unrecognized (must be of type {target.resource.kind}): {text} ({shown})")


def checked_kind(value: Any, target: Target) -> JsonObject:
    """
    Check that a parsed body is an object of the kind asked for; missing ``kind`` and ``apiVersion`` are filled in.

    Raises:
        BadRequest: It is not.
    """
    resource = target.resource
    if not isinstance(value, dict):
        raise BadRequest("the body must be an object")
    given, api_version = value.get("kind") or resource.kind, value.get("apiVersion") or target.api_version
    is_known = target.version.open_api or any(
        api_version == resource.api_version(one.name) for one in resource.versions
    )
    if is_known and given == resource.kind and api_version != target.api_version:
        raise _other_version(str(api_version), target)
    if (given, api_version) != (resource.kind, target.api_version):
        version = str(api_version).rpartition("/")[2]
        why = no_conversion(str(given), str(api_version), go_type(target))
        raise BadRequest(f'{given} in version "{version}" cannot be handled as a {resource.kind}: {why}')
    value["kind"], value["apiVersion"] = given, api_version
    return value


def go_type(target: Target) -> str:
    """Return what Go calls the kind within the server (``apps.Deployment``); custom ones have no type of their own."""
    if target.version.open_api:
        return "unstructured.Unstructured"
    return f"{target.resource.group.partition('.')[0] or 'core'}.{target.resource.kind}"


def no_conversion(kind: str, api_version: str, wanted: str) -> str:
    """Return why an object is none of the kind ``wanted`` (``core.Pod``): it is another one, or nobody knows it."""
    group, _, version = api_version.rpartition("/")
    try:
        facts.definition_name(group, version, kind)
    except KeyError:
        return f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:111"'
    return f"converting ({version}.{kind}) to ({wanted}): unknown conversion"


def _go_name(value: Any) -> str:
    names = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "null")


def finish(obj: JsonObject, target: Target, validation: str, problems: list[str], raw: bytes = b"") -> JsonObject:
    """
    Type-check, prune and default a decoded object, in place.

    Args:
        problems: Complaints found so far (doubled fields), joined by those about unknown fields.

    Raises:
        BadRequest: A value has the wrong type, or there are complaints and validation is strict.
    """
    schema = target.version.schema()
    is_custom = bool(target.version.open_api)
    metadata_only = schema.properties["metadata"] if is_custom else None
    text = typed_problem(metadata_only, obj.get("metadata")) if metadata_only else schema.typed_errors(obj)
    if text:
        raise unhandled(target, text)
    if not obj.get("metadata"):
        obj["metadata"] = {}
    unknown = schema.prune(obj)
    text = embedded.coerce(schema, obj) if is_custom else None
    if text:
        raise unhandled(target, text)
    _complain(target, [*problems, *(f'unknown field "{path}"' for path in unknown)], validation, raw)
    if is_custom:
        _OBJECT_META(obj["metadata"])
    else:
        if obj["metadata"].get("managedFields") == []:
            obj["metadata"]["managedFields"] = [{}]  # to forget all owners, said so that no empty value is dropped
        normalise(obj, keeps_empty=True)
        obj.setdefault("metadata", {})
    obj["kind"], obj["apiVersion"] = target.resource.kind, target.api_version
    schema.default(obj)
    return obj


def _complain(target: Target, problems: list[str], validation: str, raw: bytes) -> None:
    """Warn of complaints about a body, as field validation wants it; raises ``BadRequest`` when it is strict."""
    problems = _in_order(problems, raw) if raw else problems
    if not target.version.open_api:
        problems = problems[:_STRICT_ERRORS]
    if problems and validation == STRICT:
        raise unhandled(target, f"strict decoding error: {', '.join(problems)}")
    if validation != IGNORE:
        target.warnings.extend(problems[:_WARNINGS])


_STRICT_ERRORS = 100
"""Complaints Kubernetes' decoder of its own kinds keeps (sigs.k8s.io/json)."""
_WARNINGS = 1000
"""More than an answer's headers have room for."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def _in_order(problems: list[str], raw: bytes) -> list[str]:
    """Return complaints about fields about as those stand in the body: by where their names are first seen."""
    names = [b'"%b"' % problem.split('"')[1].rpartition(".")[2].encode() for problem in problems]
    wanted = dict.fromkeys(names, -1)
    if len(wanted) <= _STRICT_ERRORS:
        wanted = {name: raw.find(name) for name in wanted}
    elif wanted:
        for found in _TEXT.finditer(raw):
            if wanted.get(found[0], 0) < 0:
                wanted[found[0]] = found.start()
    places = {problem: wanted[name] for problem, name in zip(problems, names, strict=True)}
    return sorted(problems, key=places.__getitem__)


def unhandled(target: Target, text: str) -> BadRequest:
    """Return the 400 of a body that cannot be read as its kind."""
    kind = target.resource.kind
    return BadRequest(f'{kind} in version "{target.version.name}" cannot be handled as a {kind}: {text}')
