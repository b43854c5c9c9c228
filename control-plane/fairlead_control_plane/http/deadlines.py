"""
The query parameter ``timeout`` of a request: how long its sender would wait.

Source: k8s.io/apiserver pkg/endpoints/filters/request_deadline.go; messages of Go's time.ParseDuration.
"""

from __future__ import annotations

import re

from fairlead_api.errors import BadRequest
from fairlead_api.request import RequestInfo
from fairlead_machinery.web import Request
from fairlead_schema.cel.times import parse_duration

_ENDLESS = frozenset({"attach", "exec", "log", "portforward", "proxy"})
_UNITS = frozenset({"ns", "us", "µs", "μs", "ms", "s", "m", "h"})
_PART = re.compile(r"(?:\d+\.?\d*|\.\d+)([^.\d]*)")


def check_timeout(info: RequestInfo, request: Request) -> None:
    """Raise ``BadRequest`` when a request that ends by itself names a time that is none."""
    text = request.query.get("timeout", "")
    if not text or info.verb == "watch" or info.subresource in _ENDLESS or parse_duration(text) is not None:
        return
    raise BadRequest(f"invalid timeout specified in the request URL - time: {_problem(text)}")


def _problem(text: str) -> str:
    """Return what Go says of a text that is no duration."""
    quoted = f'duration "{text}"'
    rest, at = text.lstrip("+-") if text[1:2] not in ("+", "-") else "", 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            break
        if not part[1]:
            return f"missing unit in {quoted}"
        if part[1] not in _UNITS:
            return f'unknown unit "{part[1]}" in {quoted}'
        at = part.end()
    return f"invalid {quoted}"
