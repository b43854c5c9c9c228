"""What an object in a cluster lacks, or has beyond what this version would make. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from fairlead_api import JsonObject

_NOT_COMPARED = frozenset({"apiVersion", "kind", "metadata", "status", "stringData", "data"})


def called(body: JsonObject) -> str:
    """Return how people name an object: ``clusterrole/x``, ``role/x in y``."""
    metadata = body["metadata"]
    where = f" in {metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{body['kind'].lower()}/{metadata['name']}{where}"


def differences(wanted: JsonObject, live: JsonObject) -> list[str]:
    """Return in words how an object differs from the one wanted; fields that only a server fills in do not count."""
    name, found = called(wanted), []
    for key, value in wanted.items():
        if key in _NOT_COMPARED:
            continue
        if key == "rules":
            lacks, has_more = (
                _single(value) - _single(live.get(key) or ()),
                _single(live.get(key) or ()) - _single(value),
            )
            found += [f"{name} lacks {_told(lacks)}"] if lacks else []
            found += [f"{name} allows {_told(has_more)} beyond that"] if has_more else []
        elif not _covers(value, live.get(key)):
            found.append(f"{name} has another {key}")
    return found


_Right = tuple[str, str, str, str]


def _single(rules: Iterable[JsonObject]) -> set[_Right]:
    """Return rights one by one: (verb, resource, group, name); URLs count as resources of no group."""
    return {
        right
        for rule in rules
        for right in (
            *product(
                rule.get("verbs") or (),
                rule.get("resources") or (),
                rule.get("apiGroups") or (),
                rule.get("resourceNames") or ("",),
            ),
            *product(rule.get("verbs") or (), rule.get("nonResourceURLs") or (), ("",), ("",)),
        )
    }


def _told(rights: Iterable[_Right], most: int = 4) -> str:
    by_resource: dict[str, list[str]] = {}
    for verb, resource, group, name in sorted(rights):
        what = ".".join(part for part in (resource, group) if part) + (f" {name}" if name else "")
        by_resource.setdefault(what, []).append(verb)
    told = [f"{'/'.join(verbs)} {what}" for what, verbs in sorted(by_resource.items())]
    return ", ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")


def _covers(wanted: object, live: object) -> bool:
    """Tell whether everything wanted is there; lists are compared whole."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(_covers(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(wanted) != len(live):
            return False
        return all(_covers(one, other) for one, other in zip(wanted, live, strict=True))
    return wanted == live
