"""
Kubeconfig files: reading, merging, credentials, and writing back only what is one's own.

Importing this module costs little: no HTTP library, and PyYAML only when a file is read.

Source: k8s.io/client-go/tools/clientcmd (loading rules: of several files the first to name a thing wins).
"""

from __future__ import annotations

import base64
import fcntl
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead_api import JsonObject

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}


class KubeconfigError(ValueError):
    """A kubeconfig is malformed or names something it does not hold; the text says which file and what."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    How to reach one server as one user.

    Attributes:
        server: Base URL without trailing slash; may carry a path such as ``/clusters/root:org``.
        ca, certificate, key: PEM bytes, empty when absent.
        token: A fixed bearer token.
        token_file: Read again for each use that is older than a few seconds; wins over ``token``.
        insecure: The server's certificate is not verified.
        tls_server_name: Name to expect in it, when not the host's.
        namespace: Default namespace of the context.
        user: The user entry, for kinds of login that need the lazily imported client (exec, auth-provider).
    """

    server: str
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    insecure: bool = False
    tls_server_name: str = ""
    namespace: str = "default"
    proxy_url: str = ""
    user: JsonObject = field(default_factory=dict, repr=False)

    @property
    def needs_plugin(self) -> bool:
        """True when only a program or provider named in the kubeconfig can log in."""
        static = self.token or self.token_file or self.certificate
        return bool(not static and (self.user.get("exec") or self.user.get("auth-provider")))

    def ssl_context(self) -> ssl.SSLContext | None:
        """Build what TLS needs, or None for a plain ``http`` server."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            _load_client_certificate(context, self.certificate, self.key)
        context.set_alpn_protocols(["http/1.1"])
        return context


def _load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Hand a key pair to OpenSSL, which only takes files; the file is gone again at once."""
    with tempfile.NamedTemporaryFile(prefix="fairlead-", suffix=".pem") as file:  # mode 0600
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


@dataclass(slots=True)
class _File:
    path: Path
    body: JsonObject


@dataclass(slots=True)
class Kubeconfig:
    """Several files seen as one; ``files`` keeps their order of precedence."""

    files: list[_File]

    @property
    def current_context(self) -> str:
        """Return the first current context named, or ``""``."""
        return next((str(one) for file in self.files if (one := file.body.get("current-context"))), "")

    def names(self, section: str) -> list[str]:
        """Return the names in ``contexts``, ``clusters`` or ``users``."""
        names = dict.fromkeys(entry.get("name", "") for file in self.files for entry in file.body.get(section) or ())
        return list(names)

    def find(self, section: str, name: str) -> tuple[JsonObject, Path] | None:
        """Return an entry's content and the file that owns it, or None."""
        for file in self.files:
            for entry in file.body.get(section) or ():
                if entry.get("name") == name:
                    return entry.get(_SECTIONS[section]) or {}, file.path
        return None

    def _need(self, section: str, name: str) -> tuple[JsonObject, Path]:
        found = self.find(section, name)
        if found is None:
            files = ", ".join(str(file.path) for file in self.files) or "no kubeconfig file"
            known = ", ".join(one for one in self.names(section) if one) or "none"
            raise KubeconfigError(f"{_SECTIONS[section]} {name!r} does not exist ({files}); there are: {known}")
        return found

    def credentials(self, context: str = "") -> Credentials:
        """
        Resolve a context; the current one when none is named.

        Raises:
            KubeconfigError: Something it names is missing, or a file with a certificate cannot be read.
        """
        name = context or self.current_context
        if not name:
            raise KubeconfigError("no context is current: set one with 'kubectl config use-context NAME'")
        entry, _ = self._need("contexts", name)
        cluster, cluster_file = self._need("clusters", entry.get("cluster", ""))
        user, user_file = self._need("users", entry["user"]) if entry.get("user") else ({}, cluster_file)
        if not cluster.get("server"):
            raise KubeconfigError(f"cluster {entry.get('cluster')!r} in {cluster_file} has no server")
        token_file = str(user.get("tokenFile") or "")
        return Credentials(
            server=str(cluster["server"]).rstrip("/"),
            ca=_data(cluster, "certificate-authority", cluster_file),
            certificate=_data(user, "client-certificate", user_file),
            key=_data(user, "client-key", user_file),
            token=str(user.get("token") or ""),
            token_file=str(user_file.parent / token_file) if token_file else "",
            username=str(user.get("username") or ""),
            password=str(user.get("password") or ""),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            tls_server_name=str(cluster.get("tls-server-name") or ""),
            namespace=str(entry.get("namespace") or "default"),
            proxy_url=str(cluster.get("proxy-url") or ""),
            user=user,
        )


def _data(entry: JsonObject, key: str, owner: Path) -> bytes:
    """Return inline base64 data, else the file's content (relative to the kubeconfig), else nothing."""
    if inline := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(inline, validate=True)
        except ValueError as error:
            raise KubeconfigError(f"{key}-data in {owner} is not base64: {error}") from error
    if not entry.get(key):
        return b""
    path = owner.parent / str(entry[key])
    try:
        return path.read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{key} {path}, named in {owner}: {error.strerror}") from error


def default_paths(environment: Mapping[str, str]) -> list[Path]:
    """Return the files of ``KUBECONFIG``, else ``~/.kube/config``."""
    listed = [Path(one) for one in environment.get("KUBECONFIG", "").split(os.pathsep) if one]
    return list(dict.fromkeys(listed)) or [Path(environment.get("HOME", "~")).expanduser() / ".kube" / "config"]


def load(paths: Sequence[Path], *, explicit: bool = False) -> Kubeconfig:
    """
    Read kubeconfig files.

    Args:
        paths: In order of precedence; missing ones are passed over unless ``explicit``.
        explicit: The one file was named by the user and must exist.

    Raises:
        KubeconfigError: A file cannot be read or is no kubeconfig.
    """
    return Kubeconfig([_File(path, _read(path)) for path in paths if explicit or path.exists()])


def _read(path: Path) -> JsonObject:
    import yaml  # noqa: PLC0415 - costs 20 ms that offline commands need not pay

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        body = yaml.load(path.read_bytes(), Loader=loader) or {}
    except OSError as error:
        raise KubeconfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(body, dict) or not all(_are_entries(body.get(key) or []) for key in _SECTIONS):
        raise KubeconfigError(f"{path} is not a kubeconfig")
    return body


def _are_entries(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(entry, dict) for entry in found)


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT_FOLDER) -> Credentials:
    """
    Return the credentials of the pod this runs in.

    Raises:
        KubeconfigError: This is no pod, or it has no service account.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise KubeconfigError("not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    try:
        ca, namespace = (folder / "ca.crt").read_bytes(), (folder / "namespace").read_text()
    except OSError as error:
        raise KubeconfigError(f"no service account in {folder}: {error.strerror}") from error
    host = f"[{host}]" if ":" in host else host
    return Credentials(f"https://{host}:{port}", ca, token_file=str(folder / "token"), namespace=namespace.strip())


def update(path: Path, change: Callable[[JsonObject], None]) -> None:
    """
    Change one kubeconfig file in place: locked against kubectl, replaced whole, mode 0600.

    Args:
        path: The file that owns what is changed; made when missing.
        change: Changes the parsed file; comments in it are lost, as with kubectl.

    Raises:
        KubeconfigError: The file is no kubeconfig, or cannot be written.
    """
    import yaml  # noqa: PLC0415 - see _read

    path = path.resolve()  # a link stays a link
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path):
            body = _read(path) if path.exists() else {"apiVersion": "v1", "kind": "Config"}
            change(body)
            _replace(path, yaml.safe_dump(body, sort_keys=False))
    except OSError as error:
        raise KubeconfigError(f"cannot write {path}: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock beside the file; the system drops it when the process ends."""
    with (path.parent / f".{path.name}.fairlead-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def put(body: JsonObject, section: str, name: str, content: JsonObject) -> None:
    """Add or replace an entry of a parsed kubeconfig file, in place."""
    entries = body.setdefault(section, None) or []
    body[section] = entries
    for entry in entries:
        if entry.get("name") == name:
            entry[_SECTIONS[section]] = content
            return
    entries.append({"name": name, _SECTIONS[section]: content})
