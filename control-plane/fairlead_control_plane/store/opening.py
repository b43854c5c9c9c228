"""Opening the store that the settings name."""

from __future__ import annotations

from fairlead_control_plane.store.contract import Store
from fairlead_control_plane.store.sqlite import SqliteSettings, SqliteStore


async def open_store(kind: str, *, path: str = ":memory:", sqlite: SqliteSettings | None = None) -> Store:
    """
    Open a store.

    Args:
        kind: ``sqlite``.
        path: Of the database file.
    """
    if kind == "sqlite":
        return await SqliteStore.open(path, sqlite)
    raise ValueError(f"unknown store {kind!r}: use sqlite")
