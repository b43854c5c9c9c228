"""
Ingresses and IngressClasses.

Source: k8s.io/kubernetes pkg/apis/networking/validation, pkg/registry/networking/{ingress,ingressclass}/strategy.go.
"""

from __future__ import annotations

import re
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Subresource
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip, sloppy_ip
from fairlead_control_plane.kinds.strategies.metadata import immutable, validate_again
from fairlead_control_plane.kinds.strategies.services import check_host, warn_of_points

_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_NEVER_INSIDE = ("//", "/./", "/../", "%2f", "%2F")
_NEVER_LAST = ("/..", "/.")
_SCOPES = ("Cluster", "Namespace")
_MAX_CONTROLLER_BYTES = 250
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"


def _validate(obj: JsonObject) -> list[Cause]:
    """Check a new Ingress, whose class may be named by an annotation of old, but not otherwise than in its spec."""
    causes = _check(obj, {})
    named = (obj["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION)
    wanted = (obj.get("spec") or {}).get("ingressClassName")
    if named is not None and wanted is not None and named != wanted:
        text = "must match `ingressClassName` when both are specified"
        causes.append(wrong.invalid(f"annotations.{_CLASS_ANNOTATION}", named, text))
    return causes


def _check(obj: JsonObject, old: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    rules, backend, named = spec.get("rules") or (), spec.get("defaultBackend"), spec.get("ingressClassName")
    causes: list[Cause] = []
    if not rules and backend is None:
        causes.append(wrong.invalid("spec", None, "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        causes += _backend(backend, "spec.defaultBackend")
    before = (old.get("spec") or {}).get("rules") or ()
    spares_wildcards = any("*" in (rule.get("host") or "") and _paths(rule, "") for rule in before)
    for index, rule in enumerate(rules):
        causes += _rule(rule, f"spec.rules[{index}]", spares_wildcards=spares_wildcards)
    spares_names = any(_secret(tls, "") for tls in (old.get("spec") or {}).get("tls") or ())
    for index, tls in enumerate(spec.get("tls") or ()):
        path = f"spec.tls[{index}]"
        for number, host in enumerate(tls.get("hosts") or ()):
            causes += _host(host or "", f"{path}.hosts[{number}]")
        causes += [] if spares_names else _secret(tls, f"{path}.secretName")
    if named is not None:
        path = "spec.ingressClassName"
        causes += [wrong.invalid(path, named, text) for text in validation.dns1123_subdomain(named)]
    return causes


def _secret(tls: JsonObject, path: str) -> list[Cause]:
    name = tls.get("secretName") or ""
    return [wrong.invalid(path, name, text) for text in validation.dns1123_subdomain(name)] if name else []


def _host(host: str, path: str) -> list[Cause]:
    check = validation.wildcard_dns1123_subdomain if "*" in host else validation.dns1123_subdomain
    return [wrong.invalid(path, host, text) for text in check(host)]


def _rule(rule: JsonObject, path: str, *, spares_wildcards: bool) -> list[Cause]:
    host = rule.get("host") or ""
    causes: list[Cause] = []
    if host and sloppy_ip(host) is not None:
        causes.append(wrong.invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
    if host:
        causes += _host(host, f"{path}.host")
    return causes if "*" in host and spares_wildcards else causes + _paths(rule, path)


def _paths(rule: JsonObject, path: str) -> list[Cause]:
    http = rule.get("http")
    if http is None:
        return []
    paths = http.get("paths") or ()
    causes = [] if paths else [wrong.required(f"{path}.http.paths")]
    return causes + [cause for i, one in enumerate(paths) for cause in _path(one, f"{path}.http.paths[{i}]")]


def _path(entry: JsonObject, path: str) -> list[Cause]:
    kind, value = entry.get("pathType"), entry.get("path") or ""
    if kind is None:
        return [wrong.required(f"{path}.pathType", "pathType must be specified")]
    texts: list[str] = []
    causes: list[Cause] = []
    if kind not in _PATH_TYPES:
        causes.append(wrong.not_supported(f"{path}.pathType", kind, _PATH_TYPES))
    elif not value.startswith("/") and (value or kind != "ImplementationSpecific"):
        texts.append("must be an absolute path")
    if kind in {"Exact", "Prefix"}:
        texts += [f"must not contain '{part}'" for part in _NEVER_INSIDE if part in value]
        texts += [f"cannot end with '{part}'" for part in _NEVER_LAST if value.endswith(part)]
    causes += [wrong.invalid(f"{path}.path", value, text) for text in texts]
    return causes + _backend(entry.get("backend") or {}, f"{path}.backend")


def _backend(backend: JsonObject, path: str) -> list[Cause]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [wrong.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(resource, f"{path}.resource")
    if service is None:
        return [wrong.invalid(path, "", "resource or service backend is required")]
    return _service(service, path)


def _service(service: JsonObject, path: str) -> list[Cause]:
    name, port, at = service.get("name") or "", service.get("port") or {}, f"{path}.service.name"
    causes = [] if name else [wrong.required(at)]
    if name:
        causes += [wrong.invalid(at, name, text) for text in validation.dns1123_label(name)]
    port_name, number, at = port.get("name") or "", port.get("number") or 0, f"{path}.service.port"
    if port_name and number:
        return [*causes, wrong.invalid(path, "", "cannot set both port name & port number")]
    if port_name:
        return causes + [wrong.invalid(f"{at}.name", port_name, text) for text in validation.port_name(port_name)]
    if number:
        return causes + [wrong.invalid(f"{at}.number", number, text) for text in validation.port_number(number)]
    return [*causes, wrong.required(path, "port name or number is required")]


def _reference(reference: JsonObject, path: str) -> list[Cause]:
    group = reference.get("apiGroup")
    causes: list[Cause] = []
    if group is not None:
        causes += [wrong.invalid(f"{path}.apiGroup", group, text) for text in validation.dns1123_subdomain(group)]
    for field in ("kind", "name"):
        value, at = reference.get(field) or "", f"{path}.{field}"
        causes += [wrong.invalid(at, value, text) for text in validation.path_segment_name(value)]
        causes += [] if value else [wrong.required(at)]
    return causes


def _validate_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    before, listed = (
        (((one.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()) for one in (old, new)
    )
    known = [entry["ip"] for entry in before if entry.get("ip")]
    causes: list[Cause] = []
    for index, entry in enumerate(listed):
        path, address = f"status.loadBalancer.ingress[{index}]", entry.get("ip") or ""
        causes += check_ip(address, f"{path}.ip", known) if address else []
        causes += check_host(entry.get("hostname") or "", f"{path}.hostname")
    return causes


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    named = _CLASS_ANNOTATION in (new["metadata"].get("annotations") or {})
    if old is not None or not named or (new.get("spec") or {}).get("ingressClassName") is not None:
        return []
    return [f"annotation {wrong.quoted(_CLASS_ANNOTATION)} is deprecated, please use 'spec.ingressClassName' instead"]


def _validate_class(obj: JsonObject) -> list[Cause]:
    spec = obj.get("spec") or {}
    controller, parameters = spec.get("controller") or "", spec.get("parameters")
    causes: list[Cause] = []
    if len(controller.encode()) > _MAX_CONTROLLER_BYTES:
        causes.append(wrong.too_long("spec.controller", _MAX_CONTROLLER_BYTES))
    causes += _controller(controller, "spec.controller")
    return causes if parameters is None else causes + _parameters(parameters, "spec.parameters")


def _controller(name: str, path: str) -> list[Cause]:
    host, _, rest = name.partition("/")
    if not name:
        return [wrong.required(path)]
    if not host or not rest:
        return [wrong.invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    causes = [wrong.invalid(path, host, text) for text in validation.dns1123_subdomain(host)]
    if not re.fullmatch(_HTTP_PATH, rest):
        causes.append(wrong.invalid(path, rest, validation.regex_message("Invalid path", _HTTP_PATH)))
    return causes


def _parameters(parameters: JsonObject, path: str) -> list[Cause]:
    causes = _reference(parameters, path)
    scope, namespace, at = parameters.get("scope"), parameters.get("namespace"), f"{path}.namespace"
    if scope is None:
        return [*causes, wrong.required(f"{path}.scope")]
    if scope not in _SCOPES:
        return [*causes, wrong.not_supported(f"{path}.scope", scope, _SCOPES)]
    if scope == "Cluster":
        text = "`parameters.scope` is set to 'Cluster'"
        return causes if namespace is None else [*causes, wrong.forbidden(at, text)]
    if namespace is None:
        return [*causes, wrong.required(at, "`parameters.scope` is set to 'Namespace'")]
    return causes + [wrong.invalid(at, namespace, text) for text in validation.namespace_name(namespace)]


def _class_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    controller, before = ((one.get("spec") or {}).get("controller") or "" for one in (new, old))
    return immutable(controller, before, "spec.controller")


INGRESS = replace(
    generic_strategy("networking.k8s.io", "ingresses", has_status=True),
    validate=_validate,
    validate_change=lambda new, old: [*validate_again(new), *_check(new, old)],
    warn=_warn,
    subresources={"status": Subresource(validate=_validate_status, warn=warn_of_points)},
)
INGRESS_CLASS = replace(
    generic_strategy("networking.k8s.io", "ingressclasses", has_status=False),
    validate=_validate_class,
    validate_update=_class_change,
)
