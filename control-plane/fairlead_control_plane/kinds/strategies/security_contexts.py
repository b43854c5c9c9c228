"""
Validation of security contexts, of pods and of containers, and of what goes with a pod's operating system.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateSecurityContext and its like, validateOS).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.go_values import shown_as
from fairlead_control_plane.kinds.strategies.projections import relative_path

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_MAX_INT32 = 2**31 - 1
_MAX_PROFILE_BYTES = 4095
_ENUMERATED = {
    "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "supplementalGroupsPolicy": ("Merge", "Strict"),
    "seLinuxChangePolicy": ("MountOption", "Recursive"),
}
_PROC_MOUNTS = ("Default", "Unmasked")
_SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SYSCTL_PATTERN = re.compile(_SYSCTL[1:-1])
_MAX_SYSCTL = 253
_OF_IPC = frozenset(
    f"kernel.{name}"
    for name in ("sem", "shm", "shmall", "shmmax", "shmmni", "shm_rmid_forced", "msg", "msgmax", "msgmnb", "msgmni")
)
_CREDENTIALS_KIB = 64
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS_DOMAIN = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_USERS = re.compile(r'["/\\:;|=,+*?<>@\[\]]')
_MAX_DOMAIN, _MAX_USER = 256, 104
_SYSTEMS = ("linux", "windows")
# What a Windows pod may not say: of the pod (where it is shown), of its containers.
_NOT_OF_WINDOWS = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls", "runAsUser",
    "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
)  # fmt: skip
_NOT_OF_WINDOWS_PODS = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_NOT_OF_WINDOWS_CONTAINERS = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip


def containers_of(spec: JsonObject, path: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield each container of a pod spec with its path: those that run first, first."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield f"{path}.{field}[{index}]", container


def validate_pod_context(context: JsonObject, spec: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with the ``securityContext`` of a pod."""
    causes = _ids(context, path, ("fsGroup", "runAsUser", "runAsGroup"))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        causes += _id(group, f"{path}.supplementalGroups[{index}]")
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(wrong.invalid(f"{path}.shareProcessNamespace", True, text))
    causes += _sysctls(context, spec, f"{path}.sysctls")
    for field, allowed in _ENUMERATED.items():
        value = context.get(field)
        if value is not None and value not in allowed:
            causes.append(wrong.not_supported(f"{path}.{field}", value, allowed))
    return causes + _shared(context, path)


def validate_context(context: JsonObject, path: str, *, host_users: bool) -> list[Cause]:
    """Return what is wrong with the ``securityContext`` of a container."""
    causes = _ids(context, path, ("runAsUser", "runAsGroup"))
    mount = context.get("procMount")
    if mount is not None and mount not in _PROC_MOUNTS:
        causes.append(wrong.not_supported(f"{path}.procMount", mount, _PROC_MOUNTS))
    if mount == "Unmasked" and host_users:
        text = "`hostUsers` must be false to use `Unmasked`"
        causes.append(wrong.invalid(f"{path}.procMount", mount, text))
    if context.get("allowPrivilegeEscalation") is False:
        causes += _escalation(context, path)
    return causes + _shared(context, path)


def _escalation(context: JsonObject, path: str) -> list[Cause]:
    added = (context.get("capabilities") or {}).get("add") or ()
    reasons = ["`privileged` to true"] if context.get("privileged") else []
    reasons += ["`capabilities.Add` CAP_SYS_ADMIN" for one in added if one == "CAP_SYS_ADMIN"]
    shown = shown_as("core.SecurityContext", context) if reasons else ""
    start = f"Invalid value: {shown}: cannot set `allowPrivilegeEscalation` to false and"
    return [Cause("FieldValueInvalid", f"{start} {reason}", path) for reason in reasons]


def _ids(context: JsonObject, path: str, fields: tuple[str, ...]) -> list[Cause]:
    return [cause for field in fields for cause in _id(context.get(field), f"{path}.{field}")]


def _id(number: int | None, path: str) -> list[Cause]:
    if number is None or 0 <= number <= _MAX_INT32:
        return []
    return [wrong.invalid(path, number, f"must be between 0 and {_MAX_INT32}, inclusive")]


def _shared(context: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (seccomp := context.get("seccompProfile")) is not None:
        causes += _seccomp(seccomp, f"{path}.seccompProfile")
    if (windows := context.get("windowsOptions")) is not None:
        causes += _windows(windows, f"{path}.windowsOptions")
    if (armor := context.get("appArmorProfile")) is not None:
        causes += app_armor_profile(armor, f"{path}.appArmorProfile")
    return causes


def _profile_type(profile: JsonObject, path: str, kind: str) -> list[Cause]:
    found = profile.get("type")
    if not found:
        return [wrong.required(f"{path}.type", f"type is required when {kind}Profile is set")]
    return [] if found in _PROFILES else [wrong.not_supported(f"{path}.type", found, _PROFILES)]


def _seccomp(profile: JsonObject, path: str) -> list[Cause]:
    causes, local, at = (
        _profile_type(profile, path, "seccomp"),
        profile.get("localhostProfile"),
        f"{path}.localhostProfile",
    )
    if profile.get("type") == "Localhost":
        if local is None:
            return [*causes, wrong.required(at, "must be set when seccomp type is Localhost")]
        return causes + relative_path(local, at)
    if local is None:
        return causes
    shown = shown_as("core.SeccompProfile", profile)
    text = f"Invalid value: {shown}: can only be set when seccomp type is Localhost"
    return [*causes, Cause("FieldValueInvalid", text, at)]


def app_armor_profile(profile: JsonObject, path: str) -> list[Cause]:
    """Return what is wrong with an AppArmor profile."""
    local, at = profile.get("localhostProfile"), f"{path}.localhostProfile"
    if profile.get("type") != "Localhost":
        causes = _profile_type(profile, path, "appArmor")
        if causes or local is None:
            return causes
        return [wrong.invalid(at, local, "can only be set when AppArmor type is Localhost")]
    if not local:
        return [wrong.required(at, "must be set when AppArmor type is Localhost")]
    causes = []
    if local.strip() != local:
        causes.append(wrong.invalid(at, local, "must not be padded with whitespace"))
    return causes + ([wrong.too_long(at, _MAX_PROFILE_BYTES)] if len(local.encode()) > _MAX_PROFILE_BYTES else [])


def _sysctls(context: JsonObject, spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(context.get("sysctls") or ()):
        name, at = sysctl.get("name") or "", f"{path}[{index}].name"
        if not name:
            causes.append(wrong.required(at))
        elif len(name.encode()) > _MAX_SYSCTL or not _SYSCTL_PATTERN.fullmatch(name):
            text = f"must have at most {_MAX_SYSCTL} characters and match regex {_SYSCTL}"
            causes.append(wrong.invalid(at, name, text))
        elif name in seen:
            causes.append(wrong.duplicate(at, name))
        seen.add(name)
        plain = _dotted(name).partition("*")[0]
        if spec.get("hostNetwork") and plain.startswith("net."):
            causes.append(wrong.invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and _is_of_ipc(plain):
            causes.append(wrong.invalid(at, name, "may not be specified when 'hostIPC' is true"))
    return causes


def _dotted(name: str) -> str:
    """Return a sysctl with dots between its parts, where its first separator is a slash."""
    first = next((character for character in name if character in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))


def _is_of_ipc(name: str) -> bool:
    return name in _OF_IPC or name.startswith("fs.mqueue.")


def _windows(options: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        at = f"{path}.gmsaCredentialSpecName"
        causes += [wrong.invalid(at, name, text) for text in validation.dns1123_subdomain(name)]
    if (spec := options.get("gmsaCredentialSpec")) is not None:
        at = f"{path}.gmsaCredentialSpec"
        if not spec:
            causes.append(wrong.invalid(at, spec, "gmsaCredentialSpec cannot be an empty string"))
        elif len(spec.encode()) > _CREDENTIALS_KIB * 1024:
            text = f"gmsaCredentialSpec size must be under {_CREDENTIALS_KIB} KiB"
            causes.append(wrong.invalid(at, spec, text))
    if (user := options.get("runAsUserName")) is not None:
        at = f"{path}.runAsUserName"
        causes += [wrong.invalid(at, user, f"runAsUserName{text}") for text in _user_name(user)]
    return causes


def _user_name(name: str) -> list[str]:
    if not name:
        return [" cannot be an empty string"]
    if _CONTROLS.search(name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, backslash, user = name.rpartition("\\")
    texts = []
    if len(domain.encode()) >= _MAX_DOMAIN:
        texts.append(f"'s Domain length must be under {_MAX_DOMAIN} characters")
    if backslash and not (_NET_BIOS.fullmatch(domain) or _DNS_DOMAIN.fullmatch(domain)):
        texts.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        texts.append("'s User cannot be empty")
    elif len(user.encode()) > _MAX_USER:
        texts.append(f"'s User length must not be longer than {_MAX_USER} characters")
    if user and not user.strip(". "):
        texts.append("'s User cannot contain only periods or spaces")
    if _NOT_IN_USERS.search(user):
        texts.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return texts


def validate_host_process(spec: JsonObject, path: str) -> list[Cause]:
    """Check that either all containers or none are processes of a Windows host."""
    whole = _host_process(spec.get("securityContext"))
    causes: list[Cause] = []
    own = []
    for at, container in containers_of(spec, path):
        one = _host_process(container.get("securityContext"))
        if whole is not None and one is not None and whole != one:
            text = f"pod hostProcess value must be identical if both are specified, was {'true' if whole else 'false'}"
            causes.append(wrong.invalid(f"{at}.securityContext.windowsOptions.hostProcess", one, text))
        own.append(bool(whole if one is None else one))
    if not any(own):
        return causes
    if not all(own):
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        causes.append(wrong.invalid(path, "", text))
    if not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        causes.append(wrong.invalid(f"{path}.hostNetwork", False, text))
    return causes


def _host_process(context: JsonObject | None) -> bool | None:
    found: bool | None = ((context or {}).get("windowsOptions") or {}).get("hostProcess")
    return found


def validate_host_users(spec: JsonObject, path: str) -> list[Cause]:
    """Check what cannot be had with users of the pod's own."""
    if spec.get("hostUsers") is not False:
        return []
    text = "when `hostUsers` is false"
    shown = {"hostNetwork": "hostNetwork", "hostPID": "HostPID", "hostIPC": "HostIPC"}
    causes = [wrong.forbidden(f"{path}.{name}", text) for field, name in shown.items() if spec.get(field)]
    return causes + [
        wrong.forbidden(f"{at}.volumeDevices", text)
        for at, container in containers_of(spec, path)
        if container.get("volumeDevices")
    ]


def validate_system(system: JsonObject, spec: JsonObject, path: str) -> list[Cause]:
    """Check the operating system a pod is for, and that nothing in it is another's; ``path`` is the spec's."""
    name = system.get("name")
    if not name:
        return [wrong.required(f"{path}.os.name")]
    if name not in _SYSTEMS:
        return [wrong.not_supported(f"{path}.os", name, _SYSTEMS)]
    contexts: list[tuple[str, Mapping[str, object]]] = [
        (f"{at}.securityContext", container["securityContext"])
        for at, container in containers_of(spec, path)
        if container.get("securityContext")
    ]
    whole = spec.get("securityContext") or {}
    if name == "linux":
        text = "windows options cannot be set for a linux pod"
        every = [(f"{path}.securityContext", whole), *contexts]
        return [wrong.forbidden(f"{at}.windowsOptions", text) for at, one in every if "windowsOptions" in one]
    text = "cannot be set for a windows pod"
    causes = [wrong.forbidden(f"{path}.securityContext.{field}", text) for field in _NOT_OF_WINDOWS if field in whole]
    causes += [wrong.forbidden(f"{path}.{field}", text) for field in _NOT_OF_WINDOWS_PODS if field in spec]
    return causes + [
        wrong.forbidden(f"{at}.{field}", text)
        for at, context in contexts
        for field in _NOT_OF_WINDOWS_CONTAINERS
        if field in context
    ]
