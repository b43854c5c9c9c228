"""
CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may approve and sign for which signer.

Source: k8s.io/kubernetes plugin/pkg/admission/certificates, pkg/certauthorization.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cryptography.x509.oid import NameOID

from fairlead_api import JsonObject
from fairlead_api.field_errors import quoted
from fairlead_api.request import User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.kinds.strategies.certificates import Unreadable, parse_request

GROUP = "certificates.k8s.io"
_CLIENTS = "kubernetes.io/kube-apiserver-client"
_MASTERS = "system:masters"

May = Callable[[User, str, str, str, str, str], Awaitable[bool]]
"""Whether a user may (user, verb, logical cluster, group, resource, name)."""


class CertificateRights:
    """Asks RBAC about ``signers`` (``approve``, ``sign``), and keeps clients out of ``system:masters``."""

    def __init__(self, may: May) -> None:
        self._may = may

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """
        Check a request, an approval or a certificate.

        Raises:
            Forbidden: The user may not do this for the request's signer.
        """
        resource, obj, old = attributes.resource, attributes.obj, attributes.old
        if (resource.group, resource.plural) != (GROUP, "certificatesigningrequests") or obj is None:
            return
        if attributes.operation == "CREATE":
            _check_subject(attributes, obj)
        elif old is not None and attributes.subresource == "approval":
            await self._demand(attributes, "approve", old)
        elif old is not None and attributes.subresource == "status" and _is_signed(obj) != _is_signed(old):
            await self._demand(attributes, "sign", old)

    async def _demand(self, attributes: Attributes, verb: str, request: JsonObject) -> None:
        signer = str((request.get("spec") or {}).get("signerName") or "")
        for name in (signer, f"{signer.partition('/')[0]}/*"):
            if await self._may(attributes.user, verb, attributes.cluster, GROUP, "signers", name):
                return
        raise forbidden(attributes, f"user not permitted to {verb} requests with signerName {quoted(signer)}")


def _is_signed(request: JsonObject) -> tuple[object, object]:
    status = request.get("status") or {}
    return status.get("certificate") or "", status.get("conditions") or []


def _check_subject(attributes: Attributes, obj: JsonObject) -> None:
    spec = obj.get("spec") or {}
    if spec.get("signerName") != _CLIENTS:
        return
    try:
        subject = parse_request(spec.get("request")).subject
    except Unreadable as error:
        raise forbidden(attributes, f"failed to parse CSR: {error}") from error
    if any(str(one.value) == _MASTERS for one in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
        raise forbidden(attributes, f"use of {_CLIENTS} signer with {_MASTERS} group is not allowed")
