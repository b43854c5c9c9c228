"""
What may be written to schemas, exports and bindings. All refusals are 403, as kcp's.

Source: kcp-core 2.1 to 2.3, 4.6; kcp v0.11 pkg/admission/{apiresourceschema,apiexport,apibinding}.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable

from fairlead_api import JsonObject, names
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.sharing.bindings import FINALIZER
from fairlead_control_plane.sharing.exports import Resolve
from fairlead_control_plane.sharing.objects import BINDINGS, CRDS, EXPORTS, SCHEMAS

Allows = Callable[[User, RequestInfo], Awaitable[bool]]
"""RBAC in the logical cluster that the request info names, without the workspace's ``access`` check (deep review)."""

_PREFIX = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SHORT_GROUPS = frozenset({"apps", "batch", "extensions", "policy", "autoscaling"})
_APPROVED = "api-approved.kubernetes.io"
_CLAIMABLE = frozenset(
    {
        ("", "namespaces"), ("", "configmaps"), ("", "events"), ("", "resourcequotas"), ("", "limitranges"),
        ("", "secrets"), ("", "serviceaccounts"), ("events.k8s.io", "events"), ("coordination.k8s.io", "leases"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("rbac.authorization.k8s.io", "clusterroles"), ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("rbac.authorization.k8s.io", "roles"), ("rbac.authorization.k8s.io", "rolebindings"),
    }
)  # fmt: skip
_GROUP = "apis.kcp.io"


def _kind(attributes: Attributes) -> tuple[str, str]:
    resource = attributes.resource
    return ("", "") if resource.identity else (resource.group, resource.plural)


class SchemaAdmission:
    """Checks APIResourceSchemas: name, group, versions, names; and that they never change."""

    async def admit(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`; changes nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        obj = attributes.obj
        if _kind(attributes) != SCHEMAS or obj is None:
            return
        problems = list(schema_problems(obj))
        if attributes.old is not None and attributes.old.get("spec") != obj.get("spec"):
            problems.append('spec: Invalid value: "object": is immutable')
        if problems:
            raise forbidden(attributes, problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def schema_problems(schema: JsonObject) -> Iterable[str]:
    """Yield what is wrong with the name, group, names and versions of an APIResourceSchema."""
    spec, name = schema.get("spec") or {}, schema["metadata"].get("name", "")
    kinds, group = spec.get("names") or {}, spec.get("group", "")
    plural = kinds.get("plural", "")
    suffix = f".{plural}.{group or 'core'}"
    if plural and not name.endswith(suffix):
        yield f'metadata.name: Invalid value: "{name}": must end in {suffix}'
    elif plural and not _PREFIX.fullmatch(name[: -len(suffix)]):
        pattern = f"^{_PREFIX.pattern}$"
        yield f'metadata.name: Invalid value: "{name}": must match {pattern} in front of {suffix}'
    yield from _group_problems(group, schema["metadata"].get("annotations") or {})
    for field in ("plural", "singular", "kind", "listKind"):
        if not kinds.get(field):
            yield f"spec.names.{field}: Required value"
    yield from _version_problems(spec.get("versions") or [])


def _group_problems(group: str, annotations: JsonObject) -> Iterable[str]:
    if group == "core":
        yield f'spec.group: Invalid value: "{group}": must be empty string for the core group'
    elif group and not _SUBDOMAIN.fullmatch(group):
        yield f'spec.group: Invalid value: "{group}": a lowercase RFC 1123 subdomain is required'
    elif group and "." not in group and group not in _SHORT_GROUPS:
        yield f'spec.group: Invalid value: "{group}": should be a domain with at least one dot'
    if group.endswith((".k8s.io", ".kubernetes.io")) and not annotations.get(_APPROVED):
        text = 'protected groups must have approval annotation "api-approved.kubernetes.io"'
        yield f"metadata.annotations[{_APPROVED}]: Required value: {text}"


def _version_problems(versions: list[JsonObject]) -> Iterable[str]:
    found = [version.get("name", "") for version in versions]
    for index, name in enumerate(found):
        if not _LABEL.fullmatch(name):
            yield f'spec.versions[{index}].name: Invalid value: "{name}": a lowercase RFC 1035 label is required'
        if not versions[index].get("schema"):
            yield f"spec.versions[{index}].schema: Required value"
    if len(set(found)) != len(found):
        yield "spec.versions: Invalid value: must contain unique version names"
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield "spec.versions: Invalid value: must have exactly one version marked as storage version"


class ExportAdmission:
    """Checks APIExports: claims that need an identity, names of schemas; status is the system's."""

    async def admit(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`; changes nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        obj = attributes.obj
        if _kind(attributes) != EXPORTS or obj is None:
            return
        _refuse_status(attributes)
        spec = obj.get("spec") or {}
        for index, claim in enumerate(spec.get("permissionClaims") or ()):
            kind = (claim.get("group", ""), claim.get("resource", ""))
            if not claim.get("identityHash") and kind not in _CLAIMABLE and kind[0] != _GROUP:
                text = "identityHash is required for API types that are not built-in"
                where = f"spec.permissionClaims[{index}].identityHash"
                raise forbidden(attributes, f'{where}: Invalid value: "": {text}')
        for index, name in enumerate(spec.get("latestResourceSchemas") or ()):
            if name.count(".") < 2:
                where = f"spec.latestResourceSchemas[{index}]"
                text = "must have the form <prefix>.<resource>.<group>, with core for the core group"
                raise forbidden(attributes, f'{where}: Invalid value: "{name}": {text}')


class BindingAdmission:
    """
    Checks APIBindings: the right to bind, what cannot change; status and finalizer are the system's.

    Args:
        resolve: Path to logical cluster name.
        allows: Asked for verb ``bind`` on the export, in the export's cluster.
    """

    def __init__(self, resolve: Resolve, allows: Allows) -> None:
        self._resolve = resolve
        self._allows = allows

    async def admit(self, attributes: Attributes) -> None:
        """Put back what users may not take off: the label that names the export, the finalizer."""
        obj, old = attributes.obj, attributes.old
        if _kind(attributes) != BINDINGS or obj is None or attributes.user.is_master:
            return
        metadata = obj["metadata"]
        kept = (old["metadata"].get("labels") or {}).get(names.EXPORT_LABEL) if old is not None else None
        labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != names.EXPORT_LABEL}
        if kept:
            labels[names.EXPORT_LABEL] = kept
        if labels or "labels" in metadata:
            metadata["labels"] = labels
        if old is not None and FINALIZER in old["metadata"].get("finalizers", ()):
            metadata["finalizers"] = sorted({*(metadata.get("finalizers") or ()), FINALIZER})

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        obj, old = attributes.obj, attributes.old
        if _kind(attributes) != BINDINGS or obj is None:
            return
        _refuse_status(attributes)
        reference = _reference(obj)
        if not reference.get("name"):
            raise forbidden(attributes, "spec.reference.export.name: Required value")
        if old is not None and _reference(old) != reference:
            raise forbidden(
                attributes, 'spec.reference: Invalid value: "object": APIExport reference must not be changed'
            )
        if old is None and not await self._may_bind(attributes, reference):
            # One text for no such workspace, no such export and no right: nobody learns which exist.
            export = names.join(reference.get("path", ""), reference["name"])
            text = f"unable to create APIBinding: no permission to bind to export {export}"
            raise forbidden(attributes, text)

    async def _may_bind(self, attributes: Attributes, reference: JsonObject) -> bool:
        path = reference.get("path", "")
        cluster = await self._resolve(path) if path else attributes.cluster
        if cluster is None:
            return False
        info = RequestInfo(cluster, "", "bind", True, _GROUP, "v1alpha1", resource="apiexports", name=reference["name"])
        return attributes.user.is_master or await self._allows(attributes.user, info)


class ReservedCrds:
    """
    Keeps users' CRDs out of kcp's own groups and annotations, and off what the server itself serves.

    Args:
        served: (group, plural) of the kinds every workspace has; their objects lie where such a CRD's would, and would
            be swept away with it.
    """

    def __init__(self, served: Collection[tuple[str, str]] = ()) -> None:
        self._served = frozenset(served)

    async def admit(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`; changes nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """See :class:`fairlead_control_plane.admission.contract.Plugin`."""
        obj = attributes.obj
        if _kind(attributes) != CRDS or obj is None or attributes.user.is_master:
            return
        group = (obj.get("spec") or {}).get("group", "")
        if group == _GROUP or group.endswith("." + _GROUP):
            raise forbidden(attributes, f"{group} is a reserved group")
        plural = ((obj.get("spec") or {}).get("names") or {}).get("plural", "")
        if attributes.old is None and (group, plural) in self._served:
            raise forbidden(attributes, f"{plural}.{group} is served by the server itself")
        for key in obj["metadata"].get("annotations") or {}:
            if key.startswith(f"{_GROUP}/"):
                raise forbidden(attributes, f"{key} is a reserved annotation")


def _reference(binding: JsonObject) -> JsonObject:
    found: JsonObject = ((binding.get("spec") or {}).get("reference") or {}).get("export") or {}
    return found


def _refuse_status(attributes: Attributes) -> None:
    if attributes.subresource == "status" and not attributes.user.is_master:
        raise forbidden(attributes, "status can only be changed by system privileged users")
