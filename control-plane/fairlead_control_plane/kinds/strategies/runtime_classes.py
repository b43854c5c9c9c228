"""
RuntimeClasses.

Source: k8s.io/kubernetes pkg/apis/node/validation, pkg/api/node/util.go, pkg/registry/node/runtimeclass/strategy.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import immutable, validate_labels
from fairlead_control_plane.kinds.strategies.node_labels import DEPRECATED
from fairlead_control_plane.kinds.strategies.resource_names import check_amount, check_container_resource_name

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = ("Equal", "Exists")
_COMPARING = ("Equal", "Exists", "Lt", "Gt")
_NO_KEY = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
_HUGE_PAGES = "hugepages-"
_FIELDS = ("key", "operator", "value", "effect")


def _validate(obj: JsonObject) -> list[Cause]:
    handler, overhead, scheduling = obj.get("handler") or "", obj.get("overhead"), obj.get("scheduling")
    causes = [] if handler else [wrong.required("handler")]
    if handler:
        causes += [wrong.invalid("handler", handler, text) for text in validation.dns1123_label(handler)]
    if overhead is not None:
        causes += _overhead(overhead.get("podFixed") or {}, "overhead")
    if scheduling is not None:
        causes += validate_labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
        causes += _tolerations(scheduling.get("tolerations") or (), "scheduling.tolerations")
    return causes


def _overhead(fixed: JsonObject, path: str) -> list[Cause]:
    """Check what each pod takes beside its containers; told of as the limits of a container."""
    causes: list[Cause] = []
    for name, text in fixed.items():
        at = f"{path}.limits[{name}]"
        causes += check_container_resource_name(name, at) + check_amount(name, text, at)
    has_pages = any(name.startswith(_HUGE_PAGES) for name in fixed)
    if has_pages and not {"cpu", "memory"} & fixed.keys():
        causes.append(wrong.forbidden(path, "HugePages require cpu or memory"))
    return causes


def _tolerations(tolerations: Sequence[JsonObject], path: str) -> list[Cause]:
    causes = [cause for i, one in enumerate(tolerations) for cause in _toleration(one, f"{path}[{i}]")]
    seen: set[tuple[str, ...]] = set()
    for index, one in enumerate(tolerations):
        parts = tuple(one.get(field) or "" for field in _FIELDS)
        if parts in seen:
            causes.append(_same_toleration(one, parts, f"{path}[{index}]"))
        seen.add(parts)
    return causes


def _same_toleration(toleration: JsonObject, parts: Sequence[str], path: str) -> Cause:
    """Kubernetes shows its internal struct here, not the user's toleration."""
    fields = ",".join(f'"{name.title()}":{wrong.shown(part)}' for name, part in zip(_FIELDS, parts, strict=True))
    seconds = wrong.shown(toleration.get("tolerationSeconds"))
    return Cause("FieldValueDuplicate", f'Duplicate value: {{{fields},"TolerationSeconds":{seconds}}}', path)


def _toleration(toleration: JsonObject, path: str) -> list[Cause]:
    key, operator, value, effect = (toleration.get(field) or "" for field in _FIELDS)
    causes: list[Cause] = []
    if key:
        causes += [wrong.invalid(f"{path}.key", key, text) for text in validation.label_key(key)]
    elif operator != "Exists":
        causes.append(wrong.invalid(f"{path}.operator", operator, _NO_KEY))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.append(wrong.invalid(f"{path}.effect", effect, text))
    texts: list[str] = []
    if operator in {"", "Equal"}:
        texts = validation.label_value(value)
    elif operator == "Exists" and value:
        texts = ["value must be empty when `operator` is 'Exists'"]
    elif operator != "Exists":
        known = _COMPARING if operator in _COMPARING else _OPERATORS
        causes.append(wrong.not_supported(f"{path}.operator", operator, known))
    if texts:
        causes.append(wrong.invalid(f"{path}.operator", value, ";".join(texts)))
    if effect and effect not in _EFFECTS:
        causes.append(wrong.not_supported(f"{path}.effect", effect, _EFFECTS))
    return causes


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    return immutable(new.get("handler") or "", old.get("handler") or "", "handler")


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    selector = (new.get("scheduling") or {}).get("nodeSelector") or {}
    return [f"scheduling.nodeSelector: {DEPRECATED[key]}" for key in selector if key in DEPRECATED]


RUNTIME_CLASS = replace(
    generic_strategy("node.k8s.io", "runtimeclasses", has_status=False),
    validate=_validate,
    validate_update=_validate_update,
    warn=_warn,
)
