"""Pods that reach for the host, each in one way, and words by which pod security names it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def in_container(**fields: Any) -> Json:
    """Return a pod's spec with one container."""
    return {"containers": [{"name": "c", "image": "i", **fields}]}


def secured(**fields: Any) -> Json:
    """Return the same with a security context of the container."""
    return in_container(securityContext=fields)


def _named(name: str, **fields: Any) -> list[Json]:
    return [{"name": name, "image": "i", "securityContext": fields}]


PLAIN = in_container()
HOSTILE: dict[str, tuple[Json, str]] = {
    "privileged": (secured(privileged=True), "privileged"),
    "privileged init": ({"initContainers": _named("init", privileged=True), **PLAIN}, "privileged"),
    "privileged ephemeral": ({"ephemeralContainers": _named("debug", privileged=True), **PLAIN}, "privileged"),
    "host network": ({"hostNetwork": True, **PLAIN}, "hostNetwork=true"),
    "host PID": ({"hostPID": True, **PLAIN}, "hostPID=true"),
    "host IPC": ({"hostIPC": True, **PLAIN}, "hostIPC=true"),
    "host port": (in_container(ports=[{"containerPort": 80, "hostPort": 80}]), "hostPort 80"),
    "host path": ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}], **PLAIN}, "hostPath volumes"),
    "capability": (secured(capabilities={"add": ["SYS_ADMIN"]}), "SYS_ADMIN"),
    "proc mount": (secured(procMount="Unmasked"), "procMount"),
    "seccomp": (secured(seccompProfile={"type": "Unconfined"}), "seccompProfile"),
    "pod seccomp": ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}, **PLAIN}, "seccompProfile"),
    "AppArmor": (secured(appArmorProfile={"type": "Unconfined"}), "AppArmor"),
    "SELinux": (secured(seLinuxOptions={"type": "spc_t"}), "seLinuxOptions"),
    "sysctl": ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}, **PLAIN}, "sysctls"),
    "host process": (secured(windowsOptions={"hostProcess": True}), "hostProcess"),
    "probe": (in_container(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 1}}), "probe"),
}
