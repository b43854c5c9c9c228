"""
``/livez``, ``/readyz``, ``/healthz`` and ``/version``, answered before anybody is asked who they are.

Source: k8s.io/apiserver pkg/server/healthz; output of ``/readyz?verbose``.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version as installed_version

import orjson

from fairlead_machinery.web import Request, Response

KUBERNETES = "1.36.3"

Check = Callable[[], Awaitable[str]]
"""Returns ``""`` when all is well, else what is wrong (for the log and for ``verbose``; no secrets)."""

_TEXT = "text/plain; charset=utf-8"


async def ping() -> str:
    """Answer that the loop turns."""
    return ""


class Health:
    """
    Named checks in groups.

    Args:
        live: A failure means: restart the process.
        ready: A failure means: send requests elsewhere.
        version: What ``/version`` says (:func:`version_document`).
    """

    def __init__(self, live: Mapping[str, Check], ready: Mapping[str, Check], version: Mapping[str, str]) -> None:
        live = {"ping": ping, **live}
        self._groups: dict[str, Mapping[str, Check]] = {
            "livez": live,
            "healthz": live,
            "readyz": {**live, **ready},
        }
        self._version = Response(200, orjson.dumps(version, option=orjson.OPT_INDENT_2))

    async def serve(self, path: str, request: Request) -> Response | None:
        """Answer a health or version path; None when it is neither."""
        first, _, rest = path[1:].partition("/")
        if first == "version" and not rest.strip("/"):
            return self._version if request.method == "GET" else None
        checks = self._groups.get(first)
        if checks is None:
            return None
        if rest:
            check = checks.get(rest)
            return None if check is None else await _report(rest, {rest: check}, request)
        return await _report(first, checks, request)


async def _report(title: str, checks: Mapping[str, Check], request: Request) -> Response:
    excluded = set(request.query_all.get("exclude", ()))
    lines, failed = [], []
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
            continue
        problem = await check()
        if problem:
            failed.append(name)
        lines.append(f"[-]{name} failed: reason withheld" if problem else f"[+]{name} ok")
    if failed:
        return Response(500, "\n".join([*lines, f"{title} check failed", ""]).encode(), _TEXT)
    if "verbose" not in request.query:
        return Response(200, b"ok", _TEXT)
    return Response(200, "\n".join([*lines, f"{title} check passed", ""]).encode(), _TEXT)


def version_document(*, is_simulated: bool = False) -> dict[str, str]:
    """Return the body of ``/version``: the Kubernetes version we behave like, and ours; a lab's says so."""
    name = "fairlead-lab" if is_simulated else "fairlead"
    major, minor, _ = KUBERNETES.split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{KUBERNETES}+{name}-{installed_version('fairlead')}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"{sys.implementation.name}-{platform.python_version()}",
        "platform": f"{sys.platform}/{machine}",
    }
