"""
The Pod Security Standards, judged before anything reaches a cluster.

The namespaces enforce the same level in the cluster, where it stops Pods. Judged here, the object that would make such
Pods is refused as a whole, and its user hears it on the object itself, whatever its kind.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards (v1.36); texts as pod-security-admission's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairlead_api import JsonObject

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_ADDED = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    }
)  # fmt: skip
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def violations(level: str, metadata: JsonObject, spec: JsonObject) -> list[str]:
    """
    Return what in a pod's metadata and spec is against a level; empty when nothing is.

    Args:
        level: ``privileged``, ``baseline`` or ``restricted``.
        metadata: Of the pod or its template; AppArmor was once asked for in annotations.
        spec: Of the pod or its template.
    """
    if level == "privileged":
        return []
    found = [*_baseline(metadata, spec)]
    return [*found, *_restricted(spec)] if level == "restricted" else found


def _baseline(metadata: JsonObject, spec: JsonObject) -> Iterator[str]:
    host = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if host:
        yield "host namespaces (" + ", ".join(f"{name}=true" for name in host) + ")"
    for container in _containers(spec):
        yield from _baseline_container(container)
    paths = [volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    if paths:
        yield "hostPath volumes (" + ", ".join(f'volume "{name}"' for name in paths) + ")"
    for place, context in _contexts(spec):
        yield from _baseline_context(place, context)
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        if sysctl.get("name") not in _SYSCTLS:
            yield f"forbidden sysctls ({sysctl.get('name')})"
    for key, value in (metadata.get("annotations") or {}).items():
        is_known = value in ("", "runtime/default") or str(value).startswith("localhost/")
        if key.startswith(_APPARMOR) and not is_known:
            yield f'forbidden AppArmor profile (annotation {key}="{value}")'


def _baseline_container(container: JsonObject) -> Iterator[str]:
    place, context = _place(container), container.get("securityContext") or {}
    if context.get("privileged"):
        yield f"privileged ({place} must not set securityContext.privileged=true)"
    added = [name for name in (context.get("capabilities") or {}).get("add") or () if name not in _ADDED]
    if added:
        yield f"non-default capabilities ({_must_not_add(place, added)})"
    ports = [port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")]
    if ports:
        yield f"hostPort ({place} uses hostPort {', '.join(map(str, ports))})"
    if context.get("procMount") not in (None, "", "Default"):
        yield f'procMount ({place} must not set securityContext.procMount to "{context["procMount"]}")'
    if any(action.get("host") for action in _actions(container)):
        yield f"probe or lifecycle host ({place} must not set a host in probes and lifecycle hooks)"


def _baseline_context(place: str, context: JsonObject) -> Iterator[str]:
    """Judge what may stand in the security context of a pod and of a container alike."""
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"hostProcess ({place} must not set securityContext.windowsOptions.hostProcess=true)"
    for field, what in (("appArmorProfile", "forbidden AppArmor profile"), ("seccompProfile", "seccompProfile")):
        kind = (context.get(field) or {}).get("type")
        if kind not in (None, "RuntimeDefault", "Localhost"):
            yield f'{what} ({place} must not set securityContext.{field}.type to "{kind}")'
    selinux = context.get("seLinuxOptions") or {}
    if (selinux.get("type") or "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"seLinuxOptions ({place} set forbidden securityContext.seLinuxOptions)"


def _restricted(spec: JsonObject) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        kinds = [kind for kind in volume if kind != "name" and volume[kind] is not None]
        if any(kind not in _VOLUMES for kind in kinds):
            name = volume.get("name", "")
            yield f'restricted volume types (volume "{name}" uses restricted volume type "{kinds[0]}")'
    pod = spec.get("securityContext") or {}
    is_windows = (spec.get("os") or {}).get("name") == "windows"
    for container in _containers(spec):
        yield from _restricted_user(_place(container), pod, container.get("securityContext") or {})
        if not is_windows:
            yield from _restricted_container(_place(container), pod, container.get("securityContext") or {})
    if pod.get("runAsUser") == 0:
        yield "runAsUser=0 (pod must not set runAsUser=0)"


def _restricted_user(place: str, pod: JsonObject, context: JsonObject) -> Iterator[str]:
    own = context.get("runAsNonRoot")
    if not (pod.get("runAsNonRoot") if own is None else own):
        yield f"runAsNonRoot != true (pod or {place} must set securityContext.runAsNonRoot=true)"
    if context.get("runAsUser") == 0:
        yield f"runAsUser=0 ({place} must not set runAsUser=0)"


def _restricted_container(place: str, pod: JsonObject, context: JsonObject) -> Iterator[str]:
    if context.get("allowPrivilegeEscalation") is not False:
        yield (f"allowPrivilegeEscalation != false ({place} must set securityContext.allowPrivilegeEscalation=false)")
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield f'unrestricted capabilities ({place} must set securityContext.capabilities.drop=["ALL"])'
    added = [name for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE"]
    if added:
        yield f"unrestricted capabilities ({_must_not_add(place, added)})"
    profile = context.get("seccompProfile") or pod.get("seccompProfile") or {}
    if profile.get("type") not in ("RuntimeDefault", "Localhost"):
        yield (
            f"seccompProfile (pod or {place} must set securityContext.seccompProfile.type "
            'to "RuntimeDefault" or "Localhost")'
        )


def _containers(spec: JsonObject) -> Iterator[JsonObject]:
    for field in _CONTAINERS:
        yield from spec.get(field) or ()


def _contexts(spec: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield "pod", spec.get("securityContext") or {}
    for container in _containers(spec):
        yield _place(container), container.get("securityContext") or {}


def _actions(container: JsonObject) -> Iterator[JsonObject]:
    """Yield every HTTP and TCP action of a container's probes and hooks."""
    handlers: Iterable[JsonObject | None] = (
        *(container.get(field) for field in ("livenessProbe", "readinessProbe", "startupProbe")),
        *((container.get("lifecycle") or {}).get(field) for field in ("postStart", "preStop")),
    )
    for handler in handlers:
        for kind in ("httpGet", "tcpSocket"):
            if handler and handler.get(kind):
                yield handler[kind]


def _place(container: JsonObject) -> str:
    return f'container "{container.get("name", "")}"'


def _must_not_add(place: str, names: Iterable[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"{place} must not include {quoted} in securityContext.capabilities.add"
