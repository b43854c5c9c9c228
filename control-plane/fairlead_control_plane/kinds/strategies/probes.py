"""
Validation of probes and lifecycle hooks.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateProbe, validateHandler).
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.metadata import non_negative

_OF_PROBES = ("exec", "httpGet", "tcpSocket", "grpc")
_OF_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")
_SCHEMES = ("HTTP", "HTTPS")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def validate_probe(probe: JsonObject | None, kind: str, path: str) -> list[Cause]:
    """Return what is wrong with one probe; ``kind`` is its field's name below ``path``."""
    if probe is None:
        return []
    at = f"{path}.{kind}"
    causes = _handler(probe, at, _OF_PROBES, None)
    for field in _COUNTS:
        if (probe.get(field) or 0) < 0:
            causes += non_negative(probe[field], f"{at}.{field}")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        causes.append(wrong.invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if kind == "readinessProbe":
        if grace is not None:
            text = "must not be set for readinessProbes"
            causes.append(wrong.invalid(f"{at}.terminationGracePeriodSeconds", grace, text))
    elif probe.get("successThreshold") != 1:
        causes.append(wrong.invalid(f"{at}.successThreshold", probe.get("successThreshold", 0), "must be 1"))
    return causes


def validate_lifecycle(lifecycle: JsonObject, path: str, grace_s: int | None) -> list[Cause]:
    """Return what is wrong with ``lifecycle`` of a container."""
    hooks = (hook for hook in ("postStart", "preStop") if lifecycle.get(hook) is not None)
    return [cause for hook in hooks for cause in _handler(lifecycle[hook], f"{path}.{hook}", _OF_HOOKS, grace_s)]


def _handler(handler: JsonObject, path: str, kinds: tuple[str, ...], grace_s: int | None) -> list[Cause]:
    present = [kind for kind in kinds if handler.get(kind) is not None]
    if not present:
        return [wrong.required(path, "must specify a handler type")]
    first, *others = present
    causes = _action(first, handler[first], f"{path}.{first}", grace_s)
    return causes + [wrong.forbidden(f"{path}.{kind}", "may not specify more than 1 handler type") for kind in others]


def _action(kind: str, action: JsonObject, path: str, grace_s: int | None) -> list[Cause]:
    if kind == "exec":
        return [] if action.get("command") else [wrong.required(f"{path}.command")]
    if kind == "sleep":
        seconds = action.get("seconds", 0)
        if grace_s is None or 0 <= seconds <= grace_s:
            return []
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
        return [wrong.invalid(path, seconds, text)]
    if kind != "httpGet":
        return validate_port(action.get("port", 0), f"{path}.port")
    causes = [] if action.get("path") else [wrong.required(f"{path}.path")]
    causes += validate_port(action.get("port", 0), f"{path}.port")
    if action.get("scheme") not in _SCHEMES:
        causes.append(wrong.not_supported(f"{path}.scheme", action.get("scheme", ""), _SCHEMES))
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        causes += [wrong.invalid(f"{path}.httpHeaders", name, text) for text in validation.http_header_name(name)]
    return causes


def validate_port(port: int | str, path: str) -> list[Cause]:
    """Check a port given by number or by name."""
    messages = validation.port_name(port) if isinstance(port, str) else validation.port_number(port)
    return [wrong.invalid(path, port, text) for text in messages]
