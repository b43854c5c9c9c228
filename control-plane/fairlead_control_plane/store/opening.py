"""Opening the store that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.store.remote import RemoteStore
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore


async def open_store(
    where: str,
    *,
    path: str | Path | None = None,
    endpoints: Sequence[str] = (),
    sqlite: SqliteSettings | None = None,
) -> Store:
    """
    Open a store.

    Args:
        where: ``sqlite`` (needs ``path``), ``etcd`` (needs ``endpoints``; for TLS open :class:`EtcdStore` itself), or
            ``unix:PATH``, the socket of a process that has the store.
        path: Of the database file, or ``:memory:``.
        endpoints: URLs of etcd.

    Raises:
        ValueError: None of these.
        StoreError, OSError: As the store's own ``open``.
    """
    if where.startswith("unix:"):
        return await RemoteStore.open(where.removeprefix("unix:"))
    if where == "sqlite" and path is not None:
        return await SqliteStore.open(path, sqlite)
    if where == "etcd" and endpoints:
        # gRPC costs a tenth of a second and 15 MiB, which only those who use etcd should pay.
        from fairlead_control_plane.store.etcd import EtcdSettings, EtcdStore  # noqa: PLC0415

        return await EtcdStore.open(EtcdSettings(endpoints))
    raise ValueError(f"store {where!r}: use sqlite with a path, etcd with endpoints, or unix:PATH")
