"""How admission refuses a write, in Kubernetes' words for a Forbidden."""

from __future__ import annotations

from fairlead_api.errors import Forbidden
from fairlead_control_plane.admission.contract import Attributes


def forbidden(attributes: Attributes, text: str) -> Forbidden:
    """Return the 403 of an admission plugin; the name is as known when the plugin ran."""
    resource = attributes.resource
    return Forbidden(
        f'{resource.name} "{attributes.name}" is forbidden: {text}',
        group=resource.group,
        kind=resource.plural,
        name=attributes.name,
    )
