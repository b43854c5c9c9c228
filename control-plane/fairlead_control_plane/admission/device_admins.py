"""
Claims to devices for their administration, which need a namespace that is marked for it.

Source: k8s.io/kubernetes pkg/registry/resource/utils.go (AuthorizedForAdmin).
"""

from __future__ import annotations

from fairlead_api.field_errors import forbidden, invalid_object
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_GROUP, _PLURALS = "resource.k8s.io", frozenset({"resourceclaims", "resourceclaimtemplates"})
_LABEL = "resource.kubernetes.io/admin-access"


class DeviceAdmins:
    """Refuses such claims, and templates of them, in any other namespace."""

    def __init__(self, store: Store, namespaces: Resource) -> None:
        self._reader = ObjectReader(store)
        self._namespaces = namespaces

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """
        Check a new claim or template.

        Raises:
            Invalid: Its namespace is not marked.
        """
        resource, obj = attributes.resource, attributes.obj
        if resource.group != _GROUP or resource.plural not in _PLURALS:
            return
        if obj is None or attributes.operation != "CREATE":
            return
        spec = obj.get("spec") or {}
        spec = (spec.get("spec") or {}) if resource.plural == "resourceclaimtemplates" else spec
        requests = (spec.get("devices") or {}).get("requests") or ()
        asked = [index for index, one in enumerate(requests) if (one.get("exactly") or {}).get("adminAccess")]
        if not asked:
            return
        namespace = await self._reader.get(self._namespaces, attributes.cluster, "", attributes.namespace)
        if ((namespace or {}).get("metadata") or {}).get("labels", {}).get(_LABEL) == "true":
            return
        text = f"admin access to devices requires the `{_LABEL}: true` label on the containing namespace"
        cause = forbidden(f"spec.devices.requests[{asked[0]}].adminAccess", text)
        raise invalid_object(_GROUP, resource.kind, attributes.name, [cause])
