"""
Refuses Services that need addresses of a family of which there is none, before anything else of them is checked.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go (initIPFamilyFields), done before validation.
"""

from __future__ import annotations

import orjson

from fairlead_api import JsonObject
from fairlead_api.field_errors import invalid_object
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds.strategies.service_addresses import check_configured
from fairlead_control_plane.kinds.strategies.service_types import settle


class ServiceFamilies:
    """Looks at Services ahead of their validation, where there is one family of addresses."""

    async def admit(self, attributes: Attributes) -> None:
        """Raise Invalid for a Service that needs another family."""
        resource, service = attributes.resource, attributes.obj
        if service is None or attributes.subresource or resource.group or resource.plural != "services":
            return
        before = None if attributes.old is None else attributes.old.get("spec") or {}
        spec: JsonObject = orjson.loads(orjson.dumps(service.get("spec") or {}))
        # What is wrong with the addresses themselves is said by the kind, when it settles the Service.
        causes = [] if settle(spec, before) else check_configured(spec, before or {})
        if causes:
            raise invalid_object("", "Service", attributes.name, causes)

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""
