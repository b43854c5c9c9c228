"""
Defaults of pod specs that follow from other fields, and what is taken out of them.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, pkg/api/pod/util.go (dropDisabledFields: features that are off),
github.com/distribution/reference (names of images).
"""

from __future__ import annotations

import re
from functools import lru_cache

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies.resources import HUGE_PAGES, round_amounts, total_of

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_PROJECTIONS_OFF = ("clusterTrustBundle", "podCertificate")
_OF_PODS = ("cpu", "memory")
_CACHED_IMAGES = 4096
_HOST = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/{_PART}(?:/{_PART})*"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile("[a-f0-9]{64}")
"""Of a layer, which no image may be called."""


def default_pod_spec(spec: JsonObject) -> None:
    """Fill in the defaults that follow from other fields of a pod spec, in place."""
    if spec.get("serviceAccount") or spec.get("serviceAccountName"):
        # Two names of one field; the old one gives way, and both are always shown.
        name = spec.get("serviceAccountName") or spec["serviceAccount"]
        spec["serviceAccountName"] = spec["serviceAccount"] = name
    for field in _CONTAINER_LISTS:
        for container in spec.get(field) or ():
            _default_container(container)
            _round(container.get("resources"))
    _round(spec.get("resources"))
    round_amounts(spec.get("overhead"))
    # Defaults of containers, which these are without being of that type.
    for container in spec.get("ephemeralContainers") or ():
        container.setdefault("resources", {})
        container["terminationMessagePath"] = container.get("terminationMessagePath") or "/dev/termination-log"
        container["terminationMessagePolicy"] = container.get("terminationMessagePolicy") or "File"
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _round(resources: JsonObject | None) -> None:
    if resources:
        round_amounts(resources.get("requests"))
        round_amounts(resources.get("limits"))


def _default_container(container: JsonObject) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = "Always" if _tag(container.get("image") or "") == "latest" else "IfNotPresent"


def default_pod(spec: JsonObject) -> None:
    """Fill in what only a pod has, not a template: requests that follow from limits, ports of the host's network."""
    default_pod_spec(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            if spec.get("hostNetwork"):
                for port in container.get("ports") or ():
                    port["hostPort"] = port.get("hostPort") or port.get("containerPort")
            resources = container.get("resources") or {}
            limits = resources.get("limits")
            if limits:
                requests = resources.get("requests")
                if requests is None:
                    requests = resources["requests"] = {}
                for name, amount in limits.items():
                    requests.setdefault(name, amount)
    if spec.get("resources"):
        _default_whole(spec, spec["resources"])


def _default_whole(spec: JsonObject, resources: JsonObject) -> None:
    """Let a pod as a whole be limited to its containers' huge pages, and request what they do or what it may have."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    if limits or requests:
        for name, total in total_of(spec, "limits").items():
            if name.startswith(HUGE_PAGES) and name not in requests:
                limits.setdefault(name, str(total))
    if limits:
        resources["limits"] = limits
        asked = {name: str(total) for name, total in total_of(spec, "requests").items() if name in _OF_PODS}
        known = {name: text for name, text in limits.items() if name in _OF_PODS or name.startswith(HUGE_PAGES)}
        if found := {**known, **asked, **requests}:
            resources["requests"] = found


@lru_cache(_CACHED_IMAGES)
def _tag(image: str) -> str:
    """Return an image's tag: ``latest`` when it has neither tag nor digest, empty when it is no image's name."""
    first, slash, _ = image.partition("/")
    is_domain = slash and (any(letter in first for letter in ".:") or first == "localhost" or first.lower() != first)
    found = _IMAGE.fullmatch(image if is_domain else f"docker.io/{image}")
    if found is None or _IDENTIFIER.fullmatch(image):
        return ""
    return found["tag"] or ("" if found["digest"] else "latest")


def _default_volume(volume: JsonObject) -> None:
    if not any(key != "name" and value is not None for key, value in volume.items()):
        volume["emptyDir"] = {}
    image = volume.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = "Always" if _tag(image.get("reference") or "") == "latest" else "IfNotPresent"


def drop_what_is_off(spec: JsonObject) -> None:
    """
    Take out of a pod spec what belongs to features that are off, in place.

    It comes after who manages which fields is noted.
    """
    spec.pop("schedulingGroup", None)
    for field in _CONTAINER_LISTS:
        for container in spec.get(field) or ():
            lifecycle = container.get("lifecycle")
            if lifecycle and lifecycle.pop("stopSignal", None) is not None and not lifecycle:
                del container["lifecycle"]
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            for kind in _PROJECTIONS_OFF:
                source.pop(kind, None)
