"""
PodSecurity: the labels of a namespace say which Pod Security Standard its pods keep, and of which the client is warned.

Source: k8s.io/pod-security-admission admission, api.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store
from fairlead_transforms.pod_standards import LATEST, Fault, faults, told
from fairlead_transforms.podtemplate import pod_template

_PREFIX = "pod-security.kubernetes.io/"
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)", re.ASCII)
_IGNORED = frozenset({"exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"})


@dataclass(frozen=True, slots=True)
class Standard:
    """A level and the minor version of Kubernetes that says what it is."""

    level: str = "privileged"
    version: int = LATEST

    def __str__(self) -> str:
        """Write it as messages do."""
        return f"{self.level}:{'latest' if self.version == LATEST else f'v1.{self.version}'}"

    def faults(self, metadata: JsonObject, spec: JsonObject) -> list[Fault]:
        """Return what a pod has that this forbids."""
        return faults(self.level, self.version, metadata, spec)


class PodSecurity:
    """Holds pods to the standard of their namespace."""

    def __init__(self, store: Store, namespaces: Resource, pods: Resource) -> None:
        self._reader = ObjectReader(store)
        self._namespaces = namespaces
        self._pods = pods

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Look at pods, at what makes pods, and at the labels of namespaces."""
        obj, resource = attributes.obj, attributes.resource
        if obj is None or attributes.operation not in {"CREATE", "UPDATE"}:
            return
        key = (resource.group, resource.plural)
        if key == ("", "namespaces"):
            if not attributes.subresource:
                await self._check_namespace(attributes, obj)
        elif key == ("", "pods"):
            if attributes.subresource not in _IGNORED and _is_significant(obj, attributes.old):
                await self._check_pod(attributes, obj)
        elif not attributes.subresource:
            template = pod_template(*key, obj)
            if template is not None and template.get("spec"):
                warn = (await self._standards(attributes))["warn"]
                _warn(attributes, warn, template)

    async def _standards(self, attributes: Attributes) -> Mapping[str, Standard]:
        namespace = await self._reader.get(self._namespaces, attributes.cluster, "", attributes.namespace)
        labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
        return standards(labels)[0]

    async def _check_pod(self, attributes: Attributes, pod: JsonObject) -> None:
        found = await self._standards(attributes)
        enforce = found["enforce"]
        broken = enforce.faults(pod["metadata"], pod["spec"])
        if broken:
            raise forbidden(attributes, f'violates PodSecurity "{enforce}": {told(broken)}')
        _warn(attributes, found["warn"], pod)

    async def _check_namespace(self, attributes: Attributes, namespace: JsonObject) -> None:
        new, causes = standards(namespace["metadata"].get("labels") or {})
        old, before = standards(((attributes.old or {}).get("metadata") or {}).get("labels") or {})
        if causes and causes != before:
            raise invalid_object("", "Namespace", attributes.name, causes)
        now, then = new["enforce"], old["enforce"]
        if attributes.operation == "CREATE" or now == then or now.level == "privileged":
            return
        if now.version == then.version and _LEVELS.index(now.level) <= _LEVELS.index(then.level):
            return
        attributes.warnings.extend(await self._violations(attributes, now))

    async def _violations(self, attributes: Attributes, enforce: Standard) -> list[str]:
        """Say which pods are there that would not be let in again."""
        pods: dict[str, list[str]] = {}
        for pod in await self._reader.list(self._pods, attributes.cluster, attributes.name):
            broken = enforce.faults(pod["metadata"], pod["spec"])
            if broken:
                pods.setdefault(", ".join(reason for reason, _ in broken), []).append(pod["metadata"]["name"])
        if not pods:
            return []
        title = f'existing pods in namespace "{attributes.name}" violate the new PodSecurity enforce level "{enforce}"'
        return [title, *sorted(f"{min(names)}{_others(len(names) - 1)}: {text}" for text, names in pods.items())]


def standards(labels: Mapping[str, str]) -> tuple[Mapping[str, Standard], list[Cause]]:
    """Return what a namespace's labels say of ``enforce``, ``audit`` and ``warn``, and what is wrong with them."""
    found: dict[str, Standard] = {}
    causes: list[Cause] = []
    for mode in ("enforce", "audit", "warn"):
        level, version = labels.get(_PREFIX + mode), labels.get(f"{_PREFIX}{mode}-version")
        standard = Standard(level or "privileged", LATEST)
        if level is not None and level not in _LEVELS:
            text = f"must be one of {', '.join(_LEVELS)}"
            causes.append(wrong.invalid(f"metadata.labels[{_PREFIX}{mode}]", level, text))
            standard = Standard("restricted" if mode == "enforce" else "privileged", LATEST)
        if version is not None and version != "latest":
            match = _VERSION.fullmatch(version)
            if match is None:
                path = f"metadata.labels[{_PREFIX}{mode}-version]"
                causes.append(wrong.invalid(path, version, 'must be "latest" or "v1.x"'))
            else:
                standard = Standard(standard.level, int(match[1]))
        found[mode] = standard
    enforce = found["enforce"]
    if _PREFIX + "warn" not in labels and labels.get(_PREFIX + "enforce") in {"baseline", "restricted"}:
        version_of_warn = found["warn"].version if f"{_PREFIX}warn-version" in labels else enforce.version
        found["warn"] = Standard(enforce.level, version_of_warn)
    return found, causes


def _warn(attributes: Attributes, standard: Standard, pod: JsonObject) -> None:
    broken = standard.faults(pod.get("metadata") or {}, pod["spec"])
    if broken:
        attributes.warnings.append(f'would violate PodSecurity "{standard}": {told(broken)}')


def _others(count: int) -> str:
    if not count:
        return ""
    return " (and 1 other pod)" if count == 1 else f" (and {count} other pods)"


def _is_significant(pod: JsonObject, old: JsonObject | None) -> bool:
    """Tell whether a pod is new, or has another container or image."""
    if old is None:
        return True

    def images(one: JsonObject, field: str) -> list[str]:
        return [container.get("image", "") for container in one["spec"].get(field) or ()]

    if any(images(pod, field) != images(old, field) for field in ("containers", "initContainers")):
        return True
    known = {one["name"]: one.get("image", "") for one in old["spec"].get("ephemeralContainers") or ()}
    late = pod["spec"].get("ephemeralContainers") or ()
    return any(known.get(one["name"]) != one.get("image", "") for one in late)
