"""
Values as Kubernetes' messages show them: its internal Go structs as JSON, every member there, in their order.

The members come from ``data/internal.json``: of each struct ``[shown name, own name, type, form, may be left out]``.
"""

from __future__ import annotations

import json
from typing import Any


def shown_as(name: str, value: Any) -> str:
    """Return a value as JSON of the internal struct ``name`` (``core.PodSpec``)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
