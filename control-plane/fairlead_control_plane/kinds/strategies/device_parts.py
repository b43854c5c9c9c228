"""
What claims, classes and slices of devices have in common: names, bounded lists and sets, opaque parameters.

Source: k8s.io/kubernetes pkg/apis/resource/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import orjson

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.scheduling import label_name
from fairlead_control_plane.kinds.strategies.volumes import driver_name

Check = Callable[[Any, str], list[Cause]]
_LONGEST_ID, _LONGEST_POOL = 32, 253
_MOST_BINDINGS = 4
_MOST_PARAMETERS = 10 << 10
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def each(items: Sequence[Any], most: int, check: Check, path: str) -> list[Cause]:
    """Check a list of at most so many items (no bound below zero), each by itself."""
    if 0 <= most < len(items):
        return [wrong.too_many(path, len(items), most)]
    return [cause for index, item in enumerate(items) for cause in check(item, f"{path}[{index}]")]


def each_once(
    items: Sequence[Any], most: int, check: Check, path: str, *, key: Callable[[Any], Hashable]
) -> list[Cause]:
    """Check a list like :func:`each`, and that no two items have the same key."""
    if 0 <= most < len(items):
        return [wrong.too_many(path, len(items), most)]
    causes = each(items, most, check, path)
    seen: set[Hashable] = set()
    for index, item in enumerate(items):
        found = key(item)
        if found in seen:
            causes.append(wrong.duplicate(f"{path}[{index}]", found))
        seen.add(found)
    return causes


def label(name: str, path: str) -> list[Cause]:
    """Check a DNS label."""
    return [wrong.invalid(path, name, text) for text in validation.dns1123_label(name)]


def pool_name(name: str, path: str) -> list[Cause]:
    """Check the name of a pool: subdomains between slashes."""
    if not name:
        return [wrong.required(path)]
    causes = [wrong.too_long(path, _LONGEST_POOL)] if len(name.encode()) > _LONGEST_POOL else []
    return causes + [
        wrong.invalid(path, part, text) for part in name.split("/") for text in validation.dns1123_subdomain(part)
    ]


def uid(text: str, path: str) -> list[Cause]:
    """Check a UUID as Kubernetes writes them."""
    if _UUID.fullmatch(text):
        return []
    if len(text) not in (32, 36, 38, 45):
        return [wrong.invalid(path, text, f"error validating uid: invalid UUID length: {len(text)}")]
    form = (
        "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal "
        "characters"
    )
    is_uuid = len(text) == 36 and _UUID.fullmatch(text.lower())
    return [wrong.invalid(path, text, form if is_uuid else "error validating uid: invalid UUID format")]


def qualified_name(name: str, path: str) -> list[Cause]:
    """Check ``domain/identifier``, or an identifier alone."""
    domain, slash, identifier = name.partition("/")
    if not slash:
        return _identifier(name, path)
    if "/" in identifier:
        return []  # Kubernetes lets more than one slash pass
    missing = "the domain must not be empty"
    causes = driver_name(domain, path) if domain else [wrong.invalid(path, "", missing)]
    if not identifier:
        return [*causes, wrong.invalid(path, "", "the name must not be empty")]
    return causes + _identifier(identifier, path)


def full_name(name: str, path: str) -> list[Cause]:
    """Check ``domain/identifier``."""
    text = "a fully qualified name must be a domain and a name separated by a slash"
    return qualified_name(name, path) + ([] if "/" in name else [wrong.invalid(path, name, text)])


def _identifier(name: str, path: str) -> list[Cause]:
    causes = [wrong.too_long(path, _LONGEST_ID)] if len(name.encode()) > _LONGEST_ID else []
    return causes + [wrong.invalid(path, name, text) for text in validation.c_identifier(name)]


def configuration(config: JsonObject, path: str) -> list[Cause]:
    """Check a ``DeviceConfiguration``."""
    opaque, at = config.get("opaque"), f"{path}.opaque"
    if opaque is None:
        return [wrong.required(at)]
    return driver_name(opaque.get("driver") or "", f"{at}.driver") + raw(opaque.get("parameters"), f"{at}.parameters")


def raw(value: Any, path: str) -> list[Cause]:
    """Check data of somebody else's: a JSON object of at most 10 KiB."""
    if value is None:
        return [wrong.required(path)]
    if len(orjson.dumps(value)) > _MOST_PARAMETERS:
        return [wrong.too_long(path, _MOST_PARAMETERS)]
    return [] if isinstance(value, dict) else [wrong.invalid(path, "<value omitted>", "must be a valid JSON object")]


def bindings(item: JsonObject, path: str) -> list[Cause]:
    """Check which conditions bind a device, and which say that this failed."""
    good, bad = (item.get(field) or [] for field in ("bindingConditions", "bindingFailureConditions"))
    at, bad_at = f"{path}.bindingConditions", f"{path}.bindingFailureConditions"
    causes = each(good, _MOST_BINDINGS, label_name, at) + each(bad, _MOST_BINDINGS, label_name, bad_at)
    for names, place in ((good, at), (bad, bad_at)):
        causes += [wrong.duplicate(f"{place}[{index}]", one) for index, one in enumerate(names) if one in names[:index]]
    text = "bindingFailureConditions must not overlap with bindingConditions"
    causes += [wrong.invalid(f"{bad_at}[{index}]", one, text) for index, one in enumerate(bad) if one in good]
    if bad and not good:
        text = "bindingConditions are required to use bindingFailureConditions"
        causes.append(wrong.invalid(at, None, text))
    if good and not bad:
        text = "bindingFailureConditions are required to use bindingConditions"
        causes.append(wrong.invalid(bad_at, None, text))
    return causes


EFFECTS = ("NoExecute", "NoSchedule", "None")


def taint(item: JsonObject, path: str) -> list[Cause]:
    """Check a taint of a device."""
    causes, effect = label_name(item.get("key") or "", f"{path}.key"), item.get("effect") or ""
    causes += [
        wrong.invalid(f"{path}.value", item["value"], one) for one in validation.label_value(item.get("value") or "")
    ]
    if not effect:
        return [*causes, wrong.required(f"{path}.effect")]
    return causes if effect in EFFECTS else [*causes, wrong.not_supported(f"{path}.effect", effect, EFFECTS)]


def of_map(items: Mapping[str, Any], most: int, check_key: Check, check: Check, path: str) -> list[Cause]:
    """Check keys and values of a map of at most so many entries."""
    if 0 <= most < len(items):
        return [wrong.too_many(path, len(items), most)]
    causes: list[Cause] = []
    for key, item in items.items():
        causes += check_key(key, path)
        causes += check(item, f"{path}[{key}]")
    return causes
