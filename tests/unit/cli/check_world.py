"""A control plane and a cluster that answer as told: all is well until a test changes an answer."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead_api import JsonObject
from fairlead_cli import manifests
from fairlead_cli.checking import before, scheduling
from fairlead_cli.checking.agents import AgentChecks, Way
from fairlead_cli.checking.before import Before
from fairlead_cli.checking.clusters import Joined
from fairlead_cli.checking.model import Category, Report, Result
from fairlead_cli.checking.plane import Plane
from fairlead_cli.checking.running import run
from fairlead_cli.manifests import Agent
from fairlead_cli.options import Server
from fairlead_cli.places import Place
from fairlead_cli.process import AgentFolder
from fairlead_cli.session import Local, Session
from fairlead_machinery.client import Client
from fairlead_machinery.kubeconfig import Credentials, Kubeconfig
from fairlead_machinery.transport import Transport

OURS = metadata.version("fairlead")
VERSION = f"v1.36.3+fairlead-{OURS}"
PLANE_URL, CLUSTER_URL = "https://plane.test:6443", "https://east.test:6443"
UID, CLUSTER_UID = "5c2c1b0e-0000-4000-8000-000000000001", "uid-of-kube-system"
Told = Callable[[str, JsonObject], object]


def ago(seconds: float) -> str:
    """Return a moment that long ago."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def certificate(days: float) -> bytes:
    """Return a certificate, DER, that ends in so many days."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=99))
    signed = builder.not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


CA = ssl.DER_cert_to_PEM_cert(certificate(3650)).encode()
ROOM = "fairlead_store_size_bytes 5e6\nfairlead_store_quota_bytes {quota}\n"
ROOM += "fairlead_store_disk_bytes {disk}\nfairlead_store_disk_free_bytes {free}\n"


def room(*, quota: float = 0, disk: float = 0, free: float = 0) -> bytes:
    """Return metrics that say of a store of 5 MB how much room it has."""
    return ROOM.format(quota=quota, disk=disk, free=free).encode()


def token(seconds: float) -> str:
    """Return a JSON web token that ends in so many seconds."""
    claims = json.dumps({"exp": int(datetime.now(UTC).timestamp() + seconds)}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of 400 or more."""

    code: int
    message: str = "no"


class Heard:
    """An answer on the wire."""

    def __init__(self, code: int, body: bytes, ahead_s: float) -> None:
        self.status = code
        self.headers = {"Date": format_datetime(datetime.now(UTC) + timedelta(seconds=ahead_s), usegmt=True)}
        self._body = body

    async def read(self) -> bytes:
        return self._body


class Answering(Client):
    """
    A client whose server is a table: ``METHOD path`` to a body, a :class:`Refusal`, an error to raise, or a function.

    What is not in the table is 404. ``ahead_s`` is how far its clock is ahead.
    """

    def __init__(self, server: str, answers: dict[str, Any], base: str = "") -> None:
        super().__init__(Credentials(server=server, ca=CA), base=base)
        self.answers = answers
        self.ahead_s = 0.0
        self.asked: list[str] = []

    def below(self, base: str) -> Client:
        other = Answering(self.host, self.answers, base)
        other.asked, other.ahead_s, other.transport = self.asked, self.ahead_s, self.transport
        return other

    def use(self, credentials: Credentials) -> None:
        """Be somebody else."""
        self.transport = Transport(credentials, 1, "test")

    @asynccontextmanager
    async def stream(  # type: ignore[override]  # answers as far as checks look at them
        self, method: str, path: str, query: Mapping[str, str] | None = None, *, body: bytes | None = None, **_: Any
    ) -> AsyncIterator[Heard]:
        asked = f"{method} {self.base}{path}"
        self.asked.append(asked)
        answer = self.answers.get(asked)
        if answer is None:
            answer = next(
                (one for key, one in self.answers.items() if key.endswith("*") and asked.startswith(key[:-1])), None
            )
        if callable(answer):
            answer = answer(asked, json.loads(body or b"{}"))
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            answer = Refusal(404, f"{asked} not found")
        if isinstance(answer, Refusal):
            status = {"kind": "Status", "code": answer.code, "message": answer.message}
            yield Heard(answer.code, json.dumps(status).encode(), self.ahead_s)
            return
        yield Heard(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode(), self.ahead_s)


def listed(*items: JsonObject) -> JsonObject:
    """Return a list."""
    return {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": list(items)}


def allow(asked: str, body: JsonObject) -> JsonObject:
    """Answer an access review with yes."""
    del asked, body
    return {"status": {"allowed": True}}


def deny(resource: str) -> Told:
    """Return what answers an access review with no for one resource."""

    def answer(asked: str, body: JsonObject) -> JsonObject:
        del asked
        return {"status": {"allowed": body["spec"]["resourceAttributes"]["resource"] != resource}}

    return answer


def namespace(name: str, *, age_s: float = 3600, **more: Any) -> JsonObject:
    """Return a namespace."""
    found: JsonObject = {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": name, **more.pop("metadata", {})},
    }
    found["metadata"].setdefault("creationTimestamp", ago(age_s))
    found["metadata"].setdefault("annotations", {}).setdefault("kcp.io/cluster", "w1")
    return {**found, **more}


def _decided() -> JsonObject:
    return {"conditions": [{"type": "NamespaceScheduled", "status": "True", "reason": "Scheduled"}]}


def sync_target() -> JsonObject:
    """Return a SyncTarget that is well."""
    return {
        "kind": "SyncTarget",
        "metadata": {
            "name": "east",
            "uid": UID,
            "annotations": {"kcp.io/cluster": "root", "workload.fairlead.io/cluster-uid": CLUSTER_UID},
        },
        "spec": {"supportedAPIExports": [{"path": "root:compute", "export": "kubernetes"}]},
        "status": {
            "lastSyncerHeartbeatTime": ago(10),
            "syncerVersion": OURS,
            "properties": {"kubernetesVersion": "v1.36.3"},
            "virtualWorkspaces": [{"syncerURL": f"{PLANE_URL}/services/syncer/root/east/{UID}"}],
            "syncedResources": [{"group": "apps", "resource": "deployments", "state": "Accepted"}],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "SyncerAuthorized", "status": "True"}],
        },
    }


_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_EXPORT = {"status": {"identityHash": "h"}}
_APIS = "/clusters/root/apis/apis.kcp.io/v1alpha1/apiexports"
_SCHEMA = {"spec": {"group": "apps", "names": {"plural": "deployments"}, "versions": [{"name": "v1", "served": True}]}}


def plane_answers() -> dict[str, Any]:
    """Return a control plane that is well, with one SyncTarget and one workspace."""
    target = sync_target()
    workload, scheduled = "apis/workload.kcp.io/v1alpha1", "apis/scheduling.kcp.io/v1alpha1"
    placement = {"metadata": {"name": "p", "annotations": {"kcp.io/cluster": "w1"}}, "spec": {"namespaceSelector": {}}}
    lease = {"spec": {"holderIdentity": "host_1", "leaseDurationSeconds": 60, "renewTime": ago(5)}}
    return {
        "GET /version": {"gitVersion": VERSION},
        "GET /readyz": b"ok",
        "GET /metrics": room(disk=1e11, free=5e10),
        "POST /clusters/root/api/v1/namespaces/default/configmaps": {"kind": "ConfigMap"},
        f"POST /clusters/root{_REVIEW}": allow,
        "GET /clusters/root:compute/apis/apis.kcp.io/v1alpha1/apiexports/kubernetes": {
            "spec": {"latestResourceSchemas": ["v1.deployments.apps"]},
            **_EXPORT,
        },
        "GET /clusters/root:compute/apis/apis.kcp.io/v1alpha1/apiresourceschemas/v1.deployments.apps": _SCHEMA,
        "GET /clusters/root/apis/coordination.k8s.io/v1/namespaces/kcp-system/leases/fairlead-scheduler": lease,
        f"GET {_APIS}/scheduling.kcp.io": _EXPORT,
        f"GET {_APIS}/workload.kcp.io": _EXPORT,
        f"GET /clusters/*/{scheduled}/placements:h": listed(placement),
        f"GET /clusters/*/{workload}/synctargets:h": listed(target),
        "GET /clusters/w1/api/v1/namespaces": listed(namespace("default", status=_decided())),
        f"GET /clusters/root/{workload}/synctargets": listed(target),
        f"GET /clusters/root/{workload}/synctargets/east": target,
        "GET /clusters/root/apis/core.kcp.io/v1alpha1/logicalclusters/cluster": {
            "status": {"URL": f"{PLANE_URL}/clusters/root"}
        },
    }


RESOURCES = {
    "v1": ["Namespace", "ServiceAccount", "Secret", "Pod"],
    "apps/v1": ["Deployment"],
    "rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    "admissionregistration.k8s.io/v1": ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
}
_OF_ALL = {"Namespace", "ClusterRole", "ClusterRoleBinding", *RESOURCES["admissionregistration.k8s.io/v1"]}


def plural(kind: str) -> str:
    """Return a kind's resource."""
    return kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + "s"


def path_of(body: JsonObject) -> str:
    """Return an object's path."""
    version, metadata_ = body["apiVersion"], body["metadata"]
    start = ("/apis/" if "/" in version else "/api/") + version
    where = f"/namespaces/{metadata_['namespace']}" if body["kind"] not in _OF_ALL else ""
    return f"{start}{where}/{plural(body['kind'])}/{metadata_['name']}"


def agent() -> Agent:
    """Return the agent of :func:`sync_target`."""
    listed_ = (("", "pods"), ("", "secrets"), ("apps", "deployments"))
    return Agent("east", UID, "root", PLANE_URL, CA.decode(), (("apps", "deployments"),), listed=listed_)


def discovery(group: str, *plurals: str) -> JsonObject:
    """Return an aggregated discovery document of namespaced kinds that can be listed, of one group."""
    kinds = [{"resource": plural, "scope": "Namespaced", "verbs": ["list"]} for plural in plurals]
    return {"items": [{"metadata": {"name": group}, "versions": [{"version": "v1", "resources": kinds}]}]}


def cluster_answers() -> dict[str, Any]:
    """Return a cluster in which the agent runs as it should."""
    ours = agent()
    answers: dict[str, Any] = {f"GET {path_of(one)}": one for one in manifests.manifest(ours)}
    for version, kinds in RESOURCES.items():
        entries = [{"name": plural(kind), "kind": kind, "namespaced": kind not in _OF_ALL} for kind in kinds]
        answers[f"GET {'/apis/' if '/' in version else '/api/'}{version}"] = {"resources": entries}
    deployment = answers[f"GET /apis/apps/v1/namespaces/{ours.home}/deployments/{ours.id}"]
    kubeconfig = base64.b64encode(json.dumps(manifests.upstream_kubeconfig(ours)).encode()).decode()
    word = {"terminated": {"exitCode": 0, "message": '{"ok": true}'}}
    asked = {"metadata": {"name": "p"}, "status": {"phase": "Succeeded", "containerStatuses": [{"state": word}]}}
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    return {
        **answers,
        "GET /version": {"gitVersion": "v1.36.3"},
        "GET /api": discovery("", "pods", "secrets", "events"),
        "GET /apis": discovery("apps", "deployments"),
        f"POST {_REVIEW}": allow,
        "GET /api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": CLUSTER_UID}},
        "GET /api/v1/namespaces": listed(answers[f"GET /api/v1/namespaces/{ours.home}"]),
        f"GET {rbac}/clusterroles": listed(manifests.cluster_role(ours)),
        f"GET {rbac}/clusterrolebindings": listed(),
        f"GET /apis/apps/v1/namespaces/{ours.home}/deployments/{ours.id}": {
            **deployment,
            "status": {"readyReplicas": 1},
        },
        f"GET /api/v1/namespaces/{ours.home}/secrets/{ours.id}": {"data": {"kubeconfig": kubeconfig}},
        f"GET /api/v1/namespaces/{ours.home}/pods": listed(),
        "GET /api/v1/nodes": listed({"metadata": {"name": "n"}}),
        "POST /api/v1/namespaces/default/pods": {"kind": "Pod"},
        "GET /api/v1/namespaces/default/pods/*": asked,
        "DELETE /api/v1/namespaces/default/pods/*": {"kind": "Status"},
        "PATCH *": lambda asked, body: body,
    }


@dataclass
class World:
    """
    Both sides, and what the checks need beside them.

    Attributes:
        folder: For kubeconfig and agent.
        presented: The certificate the control plane shows, or the error of asking.
    """

    folder: Path
    plane: Answering = field(default_factory=lambda: Answering(PLANE_URL, plane_answers()))
    cluster: Answering = field(default_factory=lambda: Answering(CLUSTER_URL, cluster_answers()))
    presented: bytes | Exception = field(default_factory=lambda: certificate(300))
    server: Server | None = None

    def __post_init__(self) -> None:
        config = {"current-context": "east", "contexts": [{"name": "east", "context": {"cluster": "c"}}]}
        config |= {"clusters": [{"name": "c", "cluster": {"server": CLUSTER_URL}}]}
        (self.folder / "config").write_text(json.dumps(config))

    @property
    def target(self) -> JsonObject:
        """The SyncTarget; change it in place."""
        found: JsonObject = self.plane.answers["GET /clusters/root/apis/workload.kcp.io/v1alpha1/synctargets/east"]
        return found

    def as_process(self, **record: object) -> AgentFolder:
        """Have the agent be a process of this machine; it does not run."""
        folder = AgentFolder(self.folder / "agent")
        folder.note(uid=UID, process=True, context="east", **record)
        folder.write("upstream.kubeconfig", json.dumps(manifests.upstream_kubeconfig(agent())))
        folder.write("cluster.token", token(3600))
        return folder

    async def _categories(self, plane: Plane, stack: AsyncExitStack) -> AsyncIterator[Category]:
        yield plane.category()
        if not plane.here:
            return
        yield scheduling.category(plane)
        joined = Joined(plane)
        yield joined.category()
        for target in await joined.wanted():
            yield joined.category_of(target)
        way, folder = Way(str(self.folder / "config"), "east"), AgentFolder(self.folder / "agent")
        checks = AgentChecks(plane, joined, self.target, way, folder, stack)
        checks._cluster.append(self.cluster)
        yield checks.category()
        wanted = before.Wanted("east", as_process=False, image="i", probe_namespace="default", probe_timeout_s=0)
        pre = Before(plane, Server(context="east"), wanted, stack)
        pre._cluster.append(self.cluster)
        yield pre.category()

    async def check(self) -> dict[str, Result]:
        """Make all checks; return the results by id."""
        report = Report()
        async with AsyncExitStack() as stack:
            plane = Plane(self.server or Server(), stack)
            if self.server is None:
                local = Local(Kubeconfig([]), "root", f"{PLANE_URL}/clusters/root")
                plane.take(Session(local, Place(PLANE_URL, "root"), self.plane, self.plane.at("root")))
            await run(self._categories(plane, stack), report, wait_s=0)
        found: dict[str, Result] = {}
        for section in report.sections:
            for result in section.results:
                found.setdefault(result.spec.id, result)  # of several clusters the first is the one changed
        return found
