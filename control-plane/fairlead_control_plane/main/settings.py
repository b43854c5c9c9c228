"""All settings of the server, read once."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Settings(BaseModel):
    """
    What ``fairlead start`` was told.

    Raises:
        pydantic.ValidationError: A value is impossible; the message names the field and the fix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    root_directory: Path = Path(".fairlead")
    """Keys, certificates, the embedded store, kubeconfigs. Default: found again when started from the same place."""
    profile: Literal["workspaces", "cluster"] = "workspaces"
    """``workspaces``: a tree of logical clusters. ``cluster``: one plain Kubernetes API, for labs and tests."""
    bind_address: str = "127.0.0.1"
    """IP address to listen on. Default: loopback, so that nothing is exposed until somebody asks for it."""
    secure_port: int = Field(6443, ge=0, le=65535)
    """TCP port; 0 lets the system pick a free one. Default: the port Kubernetes tools expect."""
    external_url: str = ""
    """Under which URL others reach this server (certificates, workspace URLs). Default: made of address and port."""
    store: Literal["sqlite", "etcd"] = "sqlite"
    """Where objects are kept. Default: embedded, needs nothing else."""
    etcd_servers: tuple[str, ...] = ()
    """URLs of etcd members; needed for, and only meaningful with, ``store=etcd``."""
    token_auth_file: Path | None = None
    """CSV of static bearer tokens. Default: none."""
    client_ca_file: Path | None = None
    """PEM bundle of CAs whose client certificates are accepted. Default: none are asked for."""
    max_unauthenticated_connections: int = Field(1024, ge=8, le=100_000)
    """Of strangers; the oldest goes for the next. An eighth of them for one remote address, half for this machine."""
    service_account_issuer: str = "https://kubernetes.default.svc"
    """``iss`` of service account tokens and their default audience. Default: Kubernetes' own."""
    grace_s: float = Field(10.0, gt=0, le=300)
    """Seconds in which requests under way may finish after SIGTERM. Default: well under a supervisor's usual 30."""
    bin_retention_hours: float = Field(72.0, ge=0, le=8760)
    """How long what is deleted can be restored; 0 keeps nothing. Default: over a weekend."""
    with_scheduler: bool = True
    """Start the scheduler as a child process (``workspaces`` profile only). Off for tests of the server alone."""
    is_simulated: bool = False
    """Say in the version string that this cluster is a lab's. Not an option of ``fairlead start``: set by the lab."""

    @field_validator("bind_address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            ipaddress.ip_address(value)
        except ValueError as error:
            raise ValueError(
                f"{value!r} is not an IP address; use one of this machine's, or 0.0.0.0 for all"
            ) from error
        return value

    @field_validator("external_url")
    @classmethod
    def _is_https(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query):
            raise ValueError(f"{value!r} must look like https://HOST or https://HOST:PORT")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _is_consistent(self) -> Settings:
        if self.store == "etcd" and not self.etcd_servers:
            raise ValueError("--store etcd needs --etcd-servers URL[,URL]")
        if self.store != "etcd" and self.etcd_servers:
            raise ValueError("--etcd-servers needs --store etcd")
        return self

    def url(self, port: int) -> str:
        """Return the URL others use, once the port is known."""
        return self.external_url or self.local_url(port)

    def local_url(self, port: int) -> str:
        """Return the URL by which this machine reaches the server, whatever stands between others and it."""
        address = ipaddress.ip_address(self.bind_address)
        if address.is_unspecified:
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"https://{host}:{port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names and addresses the server certificate must hold."""
        outside = urlsplit(self.external_url).hostname if self.external_url else None
        bound = None if ipaddress.ip_address(self.bind_address).is_unspecified else self.bind_address
        found = ("localhost", "127.0.0.1", "::1", bound, outside, "kubernetes.default.svc", "kubernetes.default")
        return tuple(dict.fromkeys(host for host in found if host))
