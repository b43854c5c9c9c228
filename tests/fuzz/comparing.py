"""What differs between two answers to the same request, chance left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from fairlead_api import JsonObject
from tests.fuzz.asked import Request
from tests.fuzz.sides import Answer
from tests.support.chance import TIME, UID, without_repetition

_BYTES = tuple((re.compile(pattern.encode()), word) for pattern, word in ((UID, b"UID"), (TIME, b"TIME")))
_RANDOM = re.compile(rb"\b(rnd-|kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}\b")
_AGE = re.compile(r"^(?:\d+[smhdy]){1,2}$|^<unknown>$|^<invalid>$")
_RECORDED = re.compile(r"(ResourceVersion in [a-z ]+\()\d+")
_GO_TYPE = re.compile(r"(cannot unmarshal .* of type )[\w.\[\]]+")
"""Go's names of strings and numbers with a meaning, such as ``v1.Protocol``, are not in OpenAPI."""
_SERVERS = {"fairlead", "kube-apiserver"}
"""As what the two servers manage fields themselves."""
_ADDRESS = re.compile(r"^10\.96\.\d+\.\d+$")
_GIVEN = {
    "resourceVersion": "REVISION",
    "continue": "TOKEN",
    "nodePort": "PORT",
    "healthCheckNodePort": "PORT",
    "token": "TOKEN",
}
"""What a server gives out, where it stands under this key and is not empty."""
_FIRST_OBJECTS = ("kube-root-ca.crt", "default")
"""What a namespace is born with; made by controllers that have names of their own."""
_KEYS = re.compile(r"^(?:k:|v:).*")
MOST = 12
"""So many differences of one pair of answers are told; a missing object would have hundreds."""


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One thing that differs.

    Attributes:
        what: ``code``, ``reason``, ``cause``, ``message``, ``warning``, ``type``, ``object`` or ``event``.
        where: The field and how it differs, indexes left out, so that like differences are equal.
        ours: What we said.
        theirs: What Kubernetes said.
    """

    what: str
    where: str
    ours: Any
    theirs: Any


def differences(request: Request, ours: Answer, theirs: Answer, word: str) -> list[Difference]:
    """Return what differs; ``word`` is the sequence's own, which is left out of what is compared."""
    ours, theirs = (_plain(answer, word) for answer in (ours, theirs))
    own, real = _parsed(ours), _parsed(theirs)
    if ours.code != theirs.code:
        return [Difference("code", _why(own, real), _told(own, ours), _told(real, theirs))]
    found = []
    if ours.type != theirs.type:
        found.append(Difference("type", f"{ours.type} | {theirs.type}", ours.type, theirs.type))
    found += _of_warnings(ours.warnings, theirs.warnings)
    if request.verb == "watch" and ours.code == 200:
        return found + list(_of_events(own, real))[:MOST]
    if ours.code >= 400:
        return found + list(_of_status(own, real))
    if isinstance(own, dict) and isinstance(real, dict) and own.get("kind") != real.get("kind"):
        return [*found, Difference("object", f"kind {own.get('kind')} {real.get('kind')}", own, real)]
    return found + [Difference("object", where, *values) for where, *values in _of_values(own, real)][:MOST]


def _plain(answer: Answer, word: str) -> Answer:
    body = answer.body.replace(word.encode(), b"ID")
    for pattern, given in _BYTES:
        body = pattern.sub(given, body)
    body = _RANDOM.sub(rb"\1RANDOM", body)
    warnings = tuple(text.replace(word, "ID") for text in answer.warnings)
    return Answer(answer.code, answer.type, warnings, body)


def _parsed(answer: Answer) -> Any:
    """Return the answer's JSON without chance; lines of it as a list; text as it is."""
    if not answer.type.startswith("application/json"):
        return answer.body.decode(errors="replace")
    try:
        return normal(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        return [normal(orjson.loads(line)) for line in answer.body.splitlines() if line.strip()]


def normal(value: Any, key: str = "") -> Any:
    """Return a value without what depends on chance."""
    if isinstance(value, dict):
        return _normal_map(value, key)
    if isinstance(value, list):
        return [normal(each, key) for each in value]
    if key in _GIVEN and value and (key != "resourceVersion" or value != "0"):
        return _GIVEN[key]
    if isinstance(value, str):
        return _normal_text(value, key)
    return value


def _normal_text(value: str, key: str) -> str:
    if key == "manager" and value in _SERVERS:
        return "SERVER"
    if value.startswith("-----BEGIN CERTIFICATE"):
        return "CERTIFICATE"
    if key == "cells" and _AGE.match(value):
        return "AGE"
    return "ADDRESS" if _ADDRESS.match(value) else value


def _normal_map(value: JsonObject, key: str) -> JsonObject:
    value = {name: normal(member, name) for name, member in value.items()}
    without_repetition(value)
    metadata = value.get("metadata")
    if key != "template" and isinstance(metadata, dict) and metadata.get("name") in _FIRST_OBJECTS:
        return {"metadata": {"name": metadata["name"]}}
    return value


def _of_warnings(ours: tuple[str, ...], theirs: tuple[str, ...]) -> Iterator[Difference]:
    for text in sorted(set(ours) ^ set(theirs)):
        said = text.removeprefix('299 - "').removesuffix('"').replace('\\"', '"')
        yield Difference("warning", f"{'extra' if text in ours else 'missing'} {_shape(said)}", ours, theirs)


def _causes(status: Any) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for cause in (status.get("details") or {}).get("causes") or () if isinstance(status, dict) else ():
        key = (_field(cause.get("field", "")), cause.get("reason", ""))
        found.setdefault(key, set()).add(cause.get("message", ""))
    return found


def _of_status(ours: Any, theirs: Any) -> Iterator[Difference]:
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        if ours != theirs:
            yield Difference("message", "text", ours, theirs)
        return
    if ours.get("reason") != theirs.get("reason"):
        yield Difference("reason", f"{ours.get('reason')} {theirs.get('reason')}", _message(ours), _message(theirs))
        return
    yield from _of_causes(ours, theirs)
    for member in ("metadata", "status", "kind", "apiVersion"):
        if ours.get(member) != theirs.get(member):
            yield Difference("object", f"Status.{member}", ours.get(member), theirs.get(member))
    own_details, real_details = ({**(each.get("details") or {}), "causes": None} for each in (ours, theirs))
    if own_details != real_details:
        yield Difference("object", "Status.details", own_details, real_details)


def _of_causes(ours: JsonObject, theirs: JsonObject) -> Iterator[Difference]:
    own, real = _causes(ours), _causes(theirs)
    for key in sorted(set(own) | set(real)):
        if own.get(key) != real.get(key):
            how = "missing" if key not in own else "extra" if key not in real else "worded"
            yield Difference("cause", f"{how} {key[0]} {key[1]}", _message(ours), _message(theirs))
    if own == real and _words(ours) != _words(theirs):
        yield Difference("message", _shape(_message(theirs)), _message(ours), _message(theirs))


def _words(status: JsonObject) -> list[str]:
    """Return the parts of a message in an order of their own: Kubernetes goes through maps at random."""
    return sorted(re.split(r", |: \[|\]", _message(status)))


def _message(status: Any) -> str:
    text = str(status.get("message", "")) if isinstance(status, dict) else str(status)[:300]
    return _GO_TYPE.sub(r"\1TYPE", _RECORDED.sub(r"\1REVISION", text))


def _told(body: Any, answer: Answer) -> str:
    return f"{answer.code} {_message(body)}" if answer.code >= 400 else f"{answer.code}"


def _why(ours: Any, theirs: Any) -> str:
    """Return what tells one refusal from another: reason, and the first causes or the form of the message."""
    for status, whose in ((theirs, "theirs"), (ours, "ours")):
        if isinstance(status, dict) and status.get("kind") == "Status" and status.get("status") != "Success":
            causes = sorted(_causes(status))
            shown = " ".join(causes[0]) if causes else _shape(_message(status))
            return f"{whose} {status.get('reason')} {shown}"
    return "text"


def _shape(text: str) -> str:
    """Return a message without what is particular to one object."""
    text = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|`[^`]*`", "Q", text)
    return re.sub(r"\s+", " ", re.sub(r"\[\d+\]", "[]", re.sub(r"\d+", "9", text)))[:110]


def _field(path: str) -> str:
    return re.sub(r"\[[^\]]*\]", "[]", path)


def _of_events(ours: Any, theirs: Any) -> Iterator[Difference]:
    own, real = (each if isinstance(each, list) else [each] for each in (ours, theirs))
    kinds = [" ".join(str(event.get("type")) for event in each) for each in (own, real)]
    if kinds[0] != kinds[1]:
        yield Difference("event", f"{kinds[0]} | {kinds[1]}", own, real)
        return
    for first, second in zip(own, real, strict=True):
        for where, *values in _of_values(first, second):
            yield Difference("object", where, *values)


_PREFIX = re.compile(r"^(?:items\[\]\.|rows\[\]\.object\.|object\.rows\[\]\.object\.|object\.)")


def _of_values(ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each place in which two values differ; lists and events count as the objects in them."""
    seen = set()
    for where, own, real in _walk(ours, theirs, ""):
        place = _PREFIX.sub("", where.lstrip("."))
        if place not in seen:
            seen.add(place)
            yield place, own, real


_MISSING = "(missing)"


def _walk(ours: Any, theirs: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key, _MISSING) != theirs.get(key, _MISSING) or (key in ours) != (key in theirs):
                name = _KEYS.sub(lambda found: found[0][:2], key)
                yield from _walk(ours.get(key, _MISSING), theirs.get(key, _MISSING), f"{at}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for own, real in zip(ours, theirs, strict=True):
            yield from _walk(own, real, f"{at}[]")
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield f"{at} length", ours, theirs
    elif ours != theirs or type(ours) is not type(theirs):
        how = " missing" if ours == _MISSING else " extra" if theirs == _MISSING else ""
        yield f"{at}{how}", ours, theirs


Comparer = Callable[[Request, Answer, Answer, str], list[Difference]]
"""The form of :func:`differences`; what plants a bug has it too."""
