"""
What an access review must say before it is answered; all that is wrong is told at once.

Source: k8s.io/kubernetes pkg/apis/authorization/validation, pkg/registry/authorization/util.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from fairlead_api import JsonObject, selectors, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import BadRequest, Cause
from fairlead_api.field_errors import invalid_object

GROUP = "authorization.k8s.io"
_ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
_WITH_VALUES, _WITHOUT = frozenset({"In", "NotIn"}), frozenset({"Exists", "DoesNotExist"})
_RESOURCE, _URL = "spec.resourceAttributes", "spec.nonResourceAttributes"
Check = Callable[[JsonObject, str], list[Cause]]
"""Takes a requirement and its path."""
_ORDER = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
    "managedFields",
)  # fmt: skip


def check(review: JsonObject, *, names_subject: bool, namespace: str | None = None) -> None:
    """
    Check a SubjectAccessReview of any sort.

    Args:
        review: As posted.
        names_subject: It says whom it is about.
        namespace: The only one it may be about; None for any.

    Raises:
        Invalid: Something is missing, contradicts something else or has no place here.
    """
    spec = review.get("spec") or {}
    causes = _attributes(spec)
    if names_subject and not spec.get("user") and not spec.get("groups"):
        causes.append(wrong.invalid("spec.user", "", "at least one of user or group must be specified"))
    resource, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    for name, check_requirement in (("fieldSelector", _field_requirement), ("labelSelector", _label_requirement)):
        selector = (resource or {}).get(name)
        if selector is not None:
            causes += _selector(selector, f"{_RESOURCE}.{name}", check_requirement)
    metadata = {key: value for key, value in (review.get("metadata") or {}).items() if value}
    if metadata.keys() - {"managedFields", *(() if namespace is None else ("namespace",))}:
        shown = {key: metadata[key] for key in sorted(metadata, key=_ORDER.index)}
        rest = "" if namespace is None else " except for namespace"
        text = f"Invalid value: {_in_order(shown)}: must be empty{rest}"
        causes.append(Cause("FieldValueInvalid", text, "metadata"))
    if namespace is not None:
        asked = (resource or {}).get("namespace", "")
        if resource is not None and asked != namespace:
            causes.append(wrong.invalid(f"{_RESOURCE}.namespace", asked, "must match metadata.namespace"))
        if url is not None:
            causes.append(wrong.invalid(_URL, _go_url(url), "disallowed on this kind of request"))
    if causes:
        raise invalid_object(GROUP, "", "", causes)


def unreadable(spec: JsonObject) -> str:
    """Return what to say of selectors that pass the check and still cannot be read; they count as absent."""
    resource = spec.get("resourceAttributes") or {}
    readers = (("fieldSelector", _is_field_selector), ("labelSelector", _is_label_selector))
    bad = [name for name, is_read in readers if resource.get(name) and not is_read(resource[name])]
    return ", ".join(f"{_RESOURCE}.{name} ignored due to parse error" for name in bad)


def _in_order(value: JsonObject) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _attributes(spec: JsonObject) -> list[Cause]:
    resource, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and url is not None:
        return [wrong.invalid(_URL, _go_url(url), "cannot be specified in combination with resourceAttributes")]
    if resource is None and url is None:
        return [wrong.invalid(_RESOURCE, None, _ONE_OF)]
    return []


def _go_url(url: JsonObject) -> JsonObject:
    """Return non-resource attributes as Go shows the type it works with."""
    return {"Path": url.get("path", ""), "Verb": url.get("verb", "")}


def _selector(selector: JsonObject, path: str, check_requirement: Check) -> list[Cause]:
    raw, requirements = selector.get("rawSelector", ""), selector.get("requirements") or ()
    found: list[Cause] = []
    if raw and requirements:
        text = "may not specified at the same time as requirements"
        found.append(wrong.invalid(f"{path}.rawSelector", raw, text))
    if not raw and not requirements:
        text = f"when {path} is specified, requirements or rawSelector is required"
        return [wrong.required(f"{path}.requirements", text)]
    for index, requirement in enumerate(requirements):
        found += check_requirement(requirement or {}, f"{path}.requirements[{index}]")
    return found


def _values(requirement: JsonObject, path: str) -> list[Cause]:
    operator, values = requirement.get("operator", ""), requirement.get("values") or ()
    if operator in _WITH_VALUES and not values:
        return [wrong.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")]
    if operator in _WITHOUT and values:
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        return [wrong.forbidden(f"{path}.values", text)]
    return []


def _field_requirement(requirement: JsonObject, path: str) -> list[Cause]:
    missing = [] if requirement.get("key") else [wrong.required(f"{path}.key", "must be specified")]
    return missing + _values(requirement, path)


def _label_requirement(requirement: JsonObject, path: str) -> list[Cause]:
    key, causes = requirement.get("key", ""), _values(requirement, path)
    causes += [wrong.invalid(f"{path}.key", key, text) for text in validation.qualified_name(key)]
    for index, value in enumerate(requirement.get("values") or ()):
        causes += [wrong.invalid(f"{path}.values[{index}]", value, text) for text in validation.label_value(value)]
    return causes


def _is_field_selector(selector: JsonObject) -> bool:
    try:
        selectors.parse_fields(selector.get("rawSelector", ""))
    except selectors.SelectorError:
        return False
    wanted = selector.get("requirements") or ()
    return all((one or {}).get("operator") in _WITH_VALUES and len(one.get("values") or ()) == 1 for one in wanted)


def _is_label_selector(selector: JsonObject) -> bool:
    try:
        selectors.parse_labels(selector.get("rawSelector", ""))
    except (selectors.SelectorError, BadRequest):
        return False
    known = _WITH_VALUES | _WITHOUT
    return all((one or {}).get("operator") in known for one in selector.get("requirements") or ())
