"""
Validation of annotations that say something of a pod: mirrors, profiles, the cost of its deletion.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidatePodSpecificAnnotations,
validateSeccompAnnotationsAndFields, validateAppArmorAnnotationsAndFieldsMatchOnCreate).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.projections import relative_path
from fairlead_control_plane.kinds.strategies.scheduling import validate_tolerations
from fairlead_control_plane.kinds.strategies.security_contexts import containers_of

MIRROR = "kubernetes.io/config.mirror"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_COST = "controller.kubernetes.io/pod-deletion-cost"
_TOLERATIONS = "scheduler.alpha.kubernetes.io/tolerations"
_COST_FORM = re.compile(r"0|-0*[0-9]+|[1-9][0-9]*", re.ASCII)
_RUNTIME_DEFAULT, _UNCONFINED, _LOCALHOST = "runtime/default", "unconfined", "localhost/"
_SECCOMP_DEFAULTS = (_RUNTIME_DEFAULT, "docker/default")
_TELLING = (MIRROR, _COST, _TOLERATIONS, SECCOMP_POD)
_PREFIXES = (APP_ARMOR, SECCOMP_CONTAINER)


def validate_pod_annotations(annotations: Mapping[str, str], spec: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the annotations of a pod or template that mean something to Kubernetes."""
    if not any(key in _TELLING or key.startswith(_PREFIXES) for key in annotations):
        return []
    causes: list[Cause] = []
    if MIRROR in annotations and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        causes.append(wrong.invalid(f"{path}[{MIRROR}]", annotations[MIRROR], text))
    if annotations.get(_TOLERATIONS):
        causes += _tolerations(annotations[_TOLERATIONS], path)
    if _COST in annotations and not _is_cost(annotations[_COST]):
        causes.append(wrong.invalid(f"{path}[{_COST}]", annotations[_COST], "must be a 32bit integer"))
    for key, profile in annotations.items():
        if key == SECCOMP_POD or key.startswith(SECCOMP_CONTAINER):
            causes += _seccomp_profile(profile, f"{path}.{key}")
    return causes + _app_armor(annotations, spec, path)


def validate_annotation_changes(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Return what is wrong with the annotations of a pod that is written again: some may not come, go or change."""
    annotations = new["metadata"].get("annotations") or {}
    before = old["metadata"].get("annotations") or {}
    path = "metadata.annotations"
    causes: list[Cause] = []
    for key in {**before, **annotations} if annotations != before else ():
        what = "AppArmor annotations" if key.startswith(APP_ARMOR) else "mirror pod annotation" if key == MIRROR else ""
        if what and annotations.get(key) != before.get(key):
            how = "remove or update" if key in before else "add"
            causes.append(wrong.forbidden(f"{path}[{key}]", f"may not {how} {what}"))
    return causes + validate_pod_annotations(annotations, new.get("spec") or {}, path)


def _tolerations(text: str, path: str) -> list[Cause]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return [wrong.invalid(path, _TOLERATIONS, str(error))]
    is_list = isinstance(found, list) and all(isinstance(one, dict) for one in found)
    return validate_tolerations(found, f"{path}.{_TOLERATIONS}") if is_list else []


def _is_cost(text: str) -> bool:
    return bool(_COST_FORM.fullmatch(text)) and -(2**31) <= int(text) < 2**31


def _seccomp_profile(profile: str, path: str) -> list[Cause]:
    if profile in {*_SECCOMP_DEFAULTS, _UNCONFINED}:
        return []
    if profile.startswith(_LOCALHOST):
        return relative_path(profile.removeprefix(_LOCALHOST), path)
    return [wrong.invalid(path, profile, "must be a valid seccomp profile")]


def _app_armor(annotations: Mapping[str, str], spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, profile in annotations.items():
        if not key.startswith(APP_ARMOR):
            continue
        name = key.removeprefix(APP_ARMOR)
        if not any(container.get("name") == name for _, container in containers_of(spec, "")):
            causes.append(wrong.invalid(f"{path}[{key}]", name, "container not found"))
        if profile and profile not in {_RUNTIME_DEFAULT, _UNCONFINED} and not profile.startswith(_LOCALHOST):
            text = f"invalid AppArmor profile name: {wrong.quoted(profile)}"
            causes.append(wrong.invalid(f"{path}[{key}]", profile, text))
    return causes


def validate_profiles_match(annotations: Mapping[str, str], spec: JsonObject, path: str) -> list[Cause]:
    """Check that profiles in annotations and in fields of a new pod or a template are the same."""
    if SECCOMP_POD not in annotations and not any(key.startswith(_PREFIXES) for key in annotations):
        return []
    whole = spec.get("securityContext") or {}
    at = f"{path}.securityContext.seccompProfile"
    causes = _matching("seccomp", annotations.get(SECCOMP_POD), whole.get("seccompProfile"), at)
    is_windows = (spec.get("os") or {}).get("name") == "windows"
    for place, container in containers_of(spec, path):
        own, name = container.get("securityContext") or {}, container.get("name") or ""
        at = f"{place}.securityContext"
        seccomp = annotations.get(SECCOMP_CONTAINER + name)
        causes += _matching("seccomp", seccomp, own.get("seccompProfile"), f"{at}.seccompProfile")
        if not is_windows:
            profile = own.get("appArmorProfile") or whole.get("appArmorProfile")
            causes += _matching("apparmor", annotations.get(APP_ARMOR + name), profile, f"{at}.appArmorProfile")
    return causes


def _matching(kind: str, annotation: str | None, profile: JsonObject | None, path: str) -> list[Cause]:
    if annotation is None or profile is None:
        return []
    found = profile.get("type")
    defaults = _SECCOMP_DEFAULTS if kind == "seccomp" else (_RUNTIME_DEFAULT,)
    is_other = (
        (found == "Unconfined" and annotation != _UNCONFINED)
        or (found == "RuntimeDefault" and annotation not in defaults)
        or (found == "Localhost" and not annotation.startswith(_LOCALHOST))
    )
    if is_other:
        return [wrong.forbidden(f"{path}.type", f"{kind} type in annotation and field must match")]
    if found == "Localhost" and annotation.removeprefix(_LOCALHOST) != profile.get("localhostProfile"):
        return [wrong.forbidden(f"{path}.localhostProfile", f"{kind} profile in annotation and field must match")]
    return []


def app_armor_field(annotation: str) -> JsonObject | None:
    """Return the profile that an annotation of old stands for."""
    if annotation == _UNCONFINED:
        return {"type": "Unconfined"}
    if annotation == _RUNTIME_DEFAULT:
        return {"type": "RuntimeDefault"}
    local = annotation.removeprefix(_LOCALHOST)
    return {"type": "Localhost", "localhostProfile": local} if local and local != annotation else None
