"""
``/.well-known/openid-configuration`` and ``/openid/v1/jwks``: how others verify our service account tokens.

Source: OpenID Connect Discovery 1.0; k8s.io/kubernetes pkg/serviceaccount/openidmetadata.go.
"""

from __future__ import annotations

from fairlead_api.errors import NotFound
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth.tokens import ServiceAccountTokens
from fairlead_machinery.web import Request, Response

_CACHE = {"Cache-Control": "public, max-age=3600"}


class Identity:
    """Serves both documents; ``url`` is how the server is reached."""

    def __init__(self, tokens: ServiceAccountTokens, url: str) -> None:
        self._tokens = tokens
        self.url = url

    async def __call__(self, info: RequestInfo, request: Request, user: User) -> Response:
        """Answer; raises ``NotFound`` for any other path."""
        del request, user
        if info.path == "/.well-known/openid-configuration":
            return Response(200, self._tokens.discovery(self.url), headers=dict(_CACHE))
        if info.path == "/openid/v1/jwks":
            return Response(200, self._tokens.jwks(), "application/jwk-set+json", dict(_CACHE))
        raise NotFound("the server could not find the requested resource")
