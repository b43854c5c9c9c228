"""
ServiceAccounts: every pod runs as one, and finds its token where clients look for it.

Source: k8s.io/kubernetes plugin/pkg/admission/serviceaccount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from fairlead_api import JsonObject
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store

_MIRROR = "kubernetes.io/config.mirror"
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_STEM = "kube-api-access-"
_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_EXPIRY_S = 3607
"""A little over an hour: known by clients as a token that lives as long as they need it."""
_MODE = 0o644


class ServiceAccounts:
    """
    Gives pods their account and its token.

    Args:
        store: Where accounts are looked up.
        accounts: The resource.
        suffix: Makes the end of a volume's name.
    """

    def __init__(self, store: Store, accounts: Resource, suffix: Callable[[], str]) -> None:
        self._reader = ObjectReader(store)
        self._accounts = accounts
        self._suffix = suffix

    async def admit(self, attributes: Attributes) -> None:
        """Name the account, mount its token, take over its image pull secrets."""
        pod = attributes.obj
        if pod is None or not _is_new_pod(attributes) or _is_mirror(pod):
            return
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._account(attributes, name)
        wanted = spec.get("automountServiceAccountToken")
        if wanted is None:
            wanted = account.get("automountServiceAccountToken")
        if wanted is not False:
            mount_token(spec, self._suffix)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [{"name": one.get("name", "")} for one in account["imagePullSecrets"]]

    async def validate(self, attributes: Attributes) -> None:
        """Look the account up, and hold pods to its secrets where it says so."""
        pod = attributes.obj
        if pod is None or attributes.resource.group or attributes.resource.plural != "pods":
            return
        is_late = attributes.operation == "UPDATE" and attributes.subresource == "ephemeralcontainers"
        if not is_late and not _is_new_pod(attributes):
            return
        if _is_mirror(pod) and not is_late:
            _check_mirror(attributes, pod["spec"])
            return
        name = pod["spec"].get("serviceAccountName") or ""
        if not name:
            where = f"{attributes.namespace}/{attributes.name}"
            raise forbidden(attributes, f"no service account specified for pod {where}")
        account = await self._account(attributes, name)
        if (account["metadata"].get("annotations") or {}).get(_ENFORCE, "") not in _TRUE:
            return
        spec = pod["spec"]
        faults = (
            _foreign_secrets(spec, account, ("ephemeralContainers",))
            if is_late
            else chain(
                _foreign_volumes(spec, account),
                _foreign_secrets(spec, account, ("initContainers", "containers")),
                _foreign_pulls(spec, account),
            )
        )
        for fault in faults:
            raise forbidden(attributes, fault)

    async def _account(self, attributes: Attributes, name: str) -> JsonObject:
        found = await self._reader.get(self._accounts, attributes.cluster, attributes.namespace, name)
        if found is None:
            where = f"{attributes.namespace}/{name}"
            text = f'error looking up service account {where}: serviceaccount "{name}" not found'
            raise forbidden(attributes, text)
        return found


def _is_new_pod(attributes: Attributes) -> bool:
    resource = attributes.resource
    is_pod = not resource.group and resource.plural == "pods" and not attributes.subresource
    return is_pod and attributes.operation == "CREATE"


def _is_mirror(pod: JsonObject) -> bool:
    return _MIRROR in (pod["metadata"].get("annotations") or {})


def mount_token(spec: JsonObject, suffix: Callable[[], str]) -> None:
    """Mount a token into each container that mounts nothing at its place, in place."""
    volumes = spec.get("volumes") or []
    known = next((one["name"] for one in volumes if one["name"].startswith(_STEM)), "")
    name = known or _STEM + suffix()
    is_needed = False
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if all(mount.get("mountPath") != _PATH for mount in mounts):
                container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": _PATH}]
                is_needed = True
    if is_needed and not known:
        spec["volumes"] = [*volumes, {"name": name, "projected": _token_volume()}]


def _token_volume() -> JsonObject:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    certificate = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _EXPIRY_S, "path": "token"}},
            {"configMap": certificate},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": _MODE,
    }


def _check_mirror(attributes: Attributes, spec: JsonObject) -> None:
    """Refuse mirror pods that want something of the API: they stand for what a node runs by itself."""
    if spec.get("serviceAccountName"):
        raise forbidden(attributes, "a mirror pod may not reference service accounts")
    if any(True for _ in _secrets_of(spec)):
        raise forbidden(attributes, "a mirror pod may not reference secrets")
    for volume in spec.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        if any(source.get("serviceAccountToken") for source in sources):
            raise forbidden(attributes, "a mirror pod may not use ServiceAccountToken volume projections")


def _secrets_of(spec: JsonObject) -> Iterator[str]:
    """Name the Secrets that a pod refers to anywhere."""
    yield from (one.get("name", "") for one in spec.get("imagePullSecrets") or ())
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from (name for _, name in _of_container(container))
    for volume in spec.get("volumes") or ():
        for kind, source in volume.items():
            if not isinstance(source, dict):
                continue
            if kind in {"secret", "azureFile"}:
                yield source.get("secretName", "")
            for one in (*(source.get("sources") or ()), {"secret": source.get("secretRef")}):
                if one.get("secret"):
                    yield one["secret"].get("name", "")
            if source.get("nodePublishSecretRef"):
                yield source["nodePublishSecretRef"].get("name", "")


def _of_container(container: JsonObject) -> Iterator[tuple[str, str]]:
    """Yield how a container refers to Secrets, as messages say it, and to which."""
    for one in container.get("env") or ():
        reference = (one.get("valueFrom") or {}).get("secretKeyRef")
        if reference:
            yield f"envVar {one['name']}", reference.get("name", "")
    for one in container.get("envFrom") or ():
        if one.get("secretRef"):
            yield "envFrom", one["secretRef"].get("name", "")


_TITLES = {
    "initContainers": "init container",
    "containers": "container",
    "ephemeralContainers": "ephemeral container",
}


_NOT_LISTED = "is not allowed because service account {} does not reference that"


def _foreign_secrets(spec: JsonObject, account: JsonObject, fields: tuple[str, ...]) -> Iterator[str]:
    """Say which Secrets the containers in some fields use that their account does not list."""
    tail = _NOT_LISTED.format(account["metadata"]["name"])
    known = {one.get("name") for one in account.get("secrets") or ()}
    for field in fields:
        for container in spec.get(field) or ():
            for how, secret in _of_container(container):
                if secret not in known:
                    what = f'{_TITLES[field]} {container["name"]} with {how} referencing secret.secretName="{secret}"'
                    yield f"{what} {tail} secret"


def _foreign_volumes(spec: JsonObject, account: JsonObject) -> Iterator[str]:
    tail = _NOT_LISTED.format(account["metadata"]["name"])
    known = {one.get("name") for one in account.get("secrets") or ()}
    for volume in spec.get("volumes") or ():
        secret = (volume.get("secret") or {}).get("secretName", "")
        if volume.get("secret") and secret not in known:
            yield f'volume with secret.secretName="{secret}" {tail} secret'


def _foreign_pulls(spec: JsonObject, account: JsonObject) -> Iterator[str]:
    tail = _NOT_LISTED.format(account["metadata"]["name"])
    known = {one.get("name") for one in account.get("imagePullSecrets") or ()}
    for index, one in enumerate(spec.get("imagePullSecrets") or ()):
        if one.get("name") not in known:
            yield f'imagePullSecrets[{index}].name="{one.get("name", "")}" {tail} imagePullSecret'
