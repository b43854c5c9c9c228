"""
The Pod Security Standards: what pods of the levels ``baseline`` and ``restricted`` may not have.

Each check returns Kubernetes' reason and detail, or None. It stands with the minor versions of Kubernetes from which
and before which it applies. The control plane judges pods with it as an admission plugin does, agents whatever would
make pods in a cluster.

Source: k8s.io/pod-security-admission policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.field_errors import quoted

LATEST = 1 << 30
"""Stands for the newest version there is."""

Fault = tuple[str, str]
Check = Callable[[JsonObject, JsonObject], Fault | None]
"""Gets a pod's metadata and spec."""

_BASIC = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    }
)  # fmt: skip
_SYSCTLS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (
        0,
        (
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.ping_group_range",
            "net.ipv4.ip_unprivileged_port_start",
        ),
    ),
    (27, ("net.ipv4.ip_local_reserved_ports",)),
    (
        29,
        (
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
        ),
    ),
    (32, ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")),
)
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_PROFILES = frozenset({"RuntimeDefault", "Localhost"})


def _containers(spec: JsonObject) -> Iterator[JsonObject]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def _secure(holder: JsonObject) -> JsonObject:
    found: JsonObject = holder.get("securityContext") or {}
    return found


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def _several(word: str, items: Sequence[str]) -> str:
    return word if len(items) == 1 else word + "s"


def _named(names: Sequence[str]) -> str:
    return f"{_several('container', names)} {_quoted(names)}"


def _setters(spec: JsonObject, is_bad: Callable[[JsonObject], bool]) -> str:
    """Name whose security context is bad: ``pod``, containers, or both."""
    found = ["pod"] if is_bad(_secure(spec)) else []
    names = [one.get("name", "") for one in _containers(spec) if is_bad(_secure(one))]
    return " and ".join([*found, _named(names)] if names else found)


def _values(spec: JsonObject, read: Callable[[JsonObject], str | None]) -> list[str]:
    """Return the different values in security contexts, sorted."""
    found = {read(_secure(holder)) for holder in (spec, *_containers(spec))}
    return sorted(one for one in found if one is not None)


def _app_armor(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    def bad(context: JsonObject) -> str | None:
        profile = context.get("appArmorProfile")
        return None if profile is None or profile.get("type") in _PROFILES else str(profile.get("type") or "")

    setters, values = _setters(spec, lambda context: bad(context) is not None), _values(spec, bad)
    annotations = sorted(
        f"{key}={quoted(value)}"
        for key, value in (metadata.get("annotations") or {}).items()
        if key.startswith(_APP_ARMOR) and value not in {"", "runtime/default"} and not value.startswith("localhost/")
    )
    if annotations:
        setters = " and ".join([*([setters] if setters else []), _several("annotation", annotations)])
    values += annotations
    if not setters:
        return None
    reason = _several("forbidden AppArmor profile", values)
    return reason, f"{setters} must not set AppArmor profile type to {_quoted(values)}"


def _capabilities(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    detail = _added(spec, _BASIC)
    return ("non-default capabilities", detail) if detail else None


def _added(spec: JsonObject, allowed: Sequence[str]) -> str:
    extra = {
        one.get("name", ""): set((_secure(one).get("capabilities") or {}).get("add") or ()) - set(allowed)
        for one in _containers(spec)
    }
    names = [name for name, found in extra.items() if found]
    if not names:
        return ""
    return f"{_named(names)} must not include {_quoted(sorted(set().union(*extra.values())))} in {_ADD}"


_ADD = "securityContext.capabilities.add"


def _host_namespaces(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    found = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return ("host namespaces", ", ".join(found)) if found else None


def _host_paths(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    found = [one.get("name", "") for one in spec.get("volumes") or () if one.get("hostPath") is not None]
    return ("hostPath volumes", f"{_several('volume', found)} {_quoted(found)}") if found else None


def _host_ports(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    used = {
        one.get("name", ""): {str(port["hostPort"]) for port in one.get("ports") or () if port.get("hostPort")}
        for one in _containers(spec)
    }
    names = [name for name, ports in used.items() if ports]
    if not names:
        return None
    ports = sorted(set().union(*used.values()))
    verb = "uses" if len(names) == 1 else "use"
    return "hostPort", f"{_named(names)} {verb} {_several('hostPort', ports)} {', '.join(ports)}"


def _probe_hosts(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    used: dict[str, set[str]] = {}
    for one in _containers(spec):
        life = one.get("lifecycle") or {}
        probes = [one.get(field) for field in ("livenessProbe", "readinessProbe", "startupProbe")]
        for handler in (*probes, life.get("postStart"), life.get("preStop")):
            for field in ("httpGet", "tcpSocket"):
                host = ((handler or {}).get(field) or {}).get("host")
                if host:
                    used.setdefault(one.get("name", ""), set()).add(host)
    if not used:
        return None
    names, hosts = sorted(used), sorted(set().union(*used.values()))
    verb = "uses" if len(names) == 1 else "use"
    title = _several("probe or lifecycle host", hosts)
    return "probe or lifecycle host", f"{_named(names)} {verb} {title} {_quoted(hosts)}"


def _privileged(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    names = [one.get("name", "") for one in _containers(spec) if _secure(one).get("privileged")]
    return ("privileged", f"{_named(names)} must not set securityContext.privileged=true") if names else None


def _proc_mount(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    bad = {
        one.get("name", ""): _secure(one)["procMount"]
        for one in _containers(spec)
        if _secure(one).get("procMount") not in {None, "Default"}
    }
    if not bad:
        return None
    return (
        "procMount",
        f"{_named(list(bad))} must not set securityContext.procMount to {_quoted(sorted({*bad.values()}))}",
    )


def _se_linux(*allowed: str) -> Check:
    def check(metadata: JsonObject, spec: JsonObject) -> Fault | None:
        del metadata

        def options(context: JsonObject) -> JsonObject:
            found: JsonObject = context.get("seLinuxOptions") or {}
            return found

        def is_bad(context: JsonObject) -> bool:
            one = options(context)
            return bool(one.get("user") or one.get("role")) or (one.get("type") or "") not in {"", *allowed}

        setters = _setters(spec, is_bad)
        if not setters:
            return None
        types = [one for one in _values(spec, lambda c: options(c).get("type")) if one not in {"", *allowed}]
        data = [f"{_several('type', types)} {_quoted(types)}"] if types else []
        contexts = [options(_secure(holder)) for holder in (spec, *_containers(spec))]
        data += [f"{field} may not be set" for field in ("user", "role") if any(one.get(field) for one in contexts)]
        return "seLinuxOptions", f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"

    return check


def _seccomp_annotations(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    annotations = metadata.get("annotations") or {}
    keys = [_SECCOMP_POD, *(_SECCOMP_CONTAINER + one.get("name", "") for one in _containers(spec))]
    known = {"runtime/default", "docker/default"}
    found = sorted(
        f"{key}={quoted(annotations[key])}"
        for key in keys
        if key in annotations and annotations[key] not in known and not annotations[key].startswith("localhost/")
    )
    return ("seccompProfile", f"forbidden {_several('annotation', found)} {', '.join(found)}") if found else None


def _bad_seccomp(context: JsonObject) -> str | None:
    profile = context.get("seccompProfile")
    return None if profile is None or profile.get("type") in _PROFILES else str(profile.get("type") or "")


def _seccomp(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    setters = _setters(spec, lambda context: _bad_seccomp(context) is not None)
    if not setters:
        return None
    values = _quoted(_values(spec, _bad_seccomp))
    return "seccompProfile", f"{setters} must not set securityContext.seccompProfile.type to {values}"


def _seccomp_set(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    if fault := _seccomp(metadata, spec):
        return fault
    if _secure(spec).get("seccompProfile") is not None:
        return None
    names = [one.get("name", "") for one in _containers(spec) if _secure(one).get("seccompProfile") is None]
    what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return ("seccompProfile", f"pod or {_named(names)} {what}") if names else None


def _sysctls(version: int) -> Check:
    allowed = {name for since, names in _SYSCTLS if since <= version for name in names}

    def check(metadata: JsonObject, spec: JsonObject) -> Fault | None:
        del metadata
        found = [
            one.get("name", "") for one in _secure(spec).get("sysctls") or () if one.get("name", "") not in allowed
        ]
        return ("forbidden sysctls", ", ".join(found)) if found else None

    return check


def _host_process(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    setters = _setters(spec, lambda context: bool((context.get("windowsOptions") or {}).get("hostProcess")))
    what = "must not set securityContext.windowsOptions.hostProcess=true"
    return ("hostProcess", f"{setters} {what}") if setters else None


def _escalation(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    names = [
        one.get("name", "") for one in _containers(spec) if _secure(one).get("allowPrivilegeEscalation") is not False
    ]
    what = "must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", f"{_named(names)} {what}") if names else None


def _all_dropped(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    keeping = [
        one.get("name", "")
        for one in _containers(spec)
        if "ALL" not in ((_secure(one).get("capabilities") or {}).get("drop") or ())
    ]
    details = [f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    added = _added(spec, ("NET_BIND_SERVICE",))
    details += [added] if added else []
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def _volume_types(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    bad = {
        one.get("name", ""): next(
            (kind for kind, source in one.items() if kind != "name" and source is not None), "unknown"
        )
        for one in spec.get("volumes") or ()
        if not any(one.get(kind) is not None for kind in _VOLUMES)
    }
    if not bad:
        return None
    names, types = list(bad), sorted({*bad.values()})
    verb, title = "uses" if len(names) == 1 else "use", _several("restricted volume type", types)
    return "restricted volume types", f"{_several('volume', names)} {_quoted(names)} {verb} {title} {_quoted(types)}"


def _non_root(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    reason = "runAsNonRoot != true"
    setters = _setters(spec, lambda context: context.get("runAsNonRoot") is False)
    if setters:
        return reason, f"{setters} must not set securityContext.runAsNonRoot=false"
    if _secure(spec).get("runAsNonRoot"):
        return None
    names = [one.get("name", "") for one in _containers(spec) if _secure(one).get("runAsNonRoot") is None]
    return (reason, f"pod or {_named(names)} must set securityContext.runAsNonRoot=true") if names else None


def _user_zero(metadata: JsonObject, spec: JsonObject) -> Fault | None:
    del metadata
    setters = _setters(spec, lambda context: context.get("runAsUser") == 0)
    return ("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


def _linux(check: Check) -> Check:
    """Leave out pods for Windows."""
    return lambda metadata, spec: None if (spec.get("os") or {}).get("name") == "windows" else check(metadata, spec)


def _same_users(check: Check) -> Check:
    """Leave out pods whose users are not the host's."""
    return lambda metadata, spec: None if spec.get("hostUsers") is False else check(metadata, spec)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A check from one minor version on and before another; ``replaced`` from then on by a restricted one."""

    check: Check
    since: int = 0
    until: int = LATEST + 1
    replaced: int = LATEST + 1


_SELINUX = ("container_t", "container_init_t", "container_kvm_t")
_BASELINE = (
    _Rule(_app_armor),
    _Rule(_capabilities, replaced=22),
    _Rule(_host_namespaces),
    _Rule(_host_paths, replaced=0),
    _Rule(_host_ports),
    _Rule(_probe_hosts, 34),
    _Rule(_privileged),
    _Rule(_proc_mount, until=35),
    _Rule(_same_users(_proc_mount), 35, replaced=35),
    _Rule(_se_linux(*_SELINUX), until=31),
    _Rule(_se_linux(*_SELINUX, "container_engine_t"), 31),
    _Rule(_seccomp_annotations, until=19),
    _Rule(_seccomp, 19, replaced=19),
    _Rule(_sysctls(0), until=27),
    _Rule(_sysctls(27), 27, 29),
    _Rule(_sysctls(29), 29, 32),
    _Rule(_sysctls(32), 32),
    _Rule(_host_process),
)
_RESTRICTED = (
    _Rule(_escalation, 8, 25),
    _Rule(_linux(_escalation), 25),
    _Rule(_all_dropped, 22, 25),
    _Rule(_linux(_all_dropped), 25),
    _Rule(_proc_mount, 35),
    _Rule(_volume_types),
    _Rule(_non_root, until=35),
    _Rule(_same_users(_non_root), 35),
    _Rule(_user_zero, 23, 35),
    _Rule(_same_users(_user_zero), 35),
    _Rule(_seccomp_set, 19, 25),
    _Rule(_linux(_seccomp_set), 25),
)


def faults(level: str, version: int, metadata: JsonObject, spec: JsonObject) -> list[Fault]:
    """Return what a pod has that a level (``privileged``, ``baseline``, ``restricted``) of a version forbids."""
    if level == "privileged":
        return []
    rules = [rule for rule in _BASELINE if level == "baseline" or version < rule.replaced]
    if level == "restricted":
        rules += _RESTRICTED
    found = [rule.check(metadata, spec) for rule in rules if rule.since <= version < rule.until]
    return [fault for fault in found if fault is not None]


def told(broken: Iterable[Fault]) -> str:
    """Say what is wrong, for people."""
    return ", ".join(f"{reason} ({detail})" for reason, detail in broken)
