"""Virtual workspaces: ``/services/<name>/...``, each served by a function of the room that knows its content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fairlead_api.errors import NotFound
from fairlead_api.request import User
from fairlead_machinery.web import Request, Response

SERVICES = "/services/"

VirtualWorkspace = Callable[[Request, User, str], Awaitable[Response]]
"""Given the request, its authenticated user and the rest of the path (starts with ``/``); authorizes for itself."""


class VirtualWorkspaces:
    """The virtual workspaces by name; every one is registered before the listener starts."""

    def __init__(self) -> None:
        self._by_name: dict[str, VirtualWorkspace] = {}

    def paths(self) -> list[str]:
        """Return where each that is registered begins."""
        return [SERVICES + name for name in sorted(self._by_name)]

    def register(self, name: str, serve: VirtualWorkspace) -> None:
        """
        Add a virtual workspace.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._by_name:
            raise ValueError(f"virtual workspace {name!r} is registered twice")
        self._by_name[name] = serve

    async def serve(self, request: Request, user: User) -> Response:
        """
        Serve a request whose path starts with ``/services/``.

        Raises:
            NotFound: There is no virtual workspace of that name.
        """
        name, slash, rest = request.path[len(SERVICES) :].partition("/")
        found = self._by_name.get(name)
        if found is None:
            raise NotFound("the server could not find the requested resource")
        return await found(request, user, slash + rest)
