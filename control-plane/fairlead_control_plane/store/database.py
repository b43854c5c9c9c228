"""
The SQLite file: its lock, its checks, its settings and its schema.

History is the truth: one row for each key written in each transaction, with ``id = revision * 128 + position``,
so that the order of the table is the order of events and needs no index of its own. ``current`` points at the
newest row of every live key.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from fairlead_control_plane.store.contract import Locked, StoreError

MEMORY = ":memory:"
APPLICATION_ID = 0x464C5354  # "FLST"
SCHEMA_VERSION = 1
OLDEST_SQLITE = (3, 51, 3)
"""The first release that cannot lose commits when a checkpoint and a WAL reset meet."""

POSITION_BITS = 7
"""Bits of an id that number the events of one transaction; 128 is above the contract's MAX_OPERATIONS."""

FIRST_REVISION = 1
"""Revision of an empty store, as in etcd; the first transaction gets 2."""

_SCHEMA = """
CREATE TABLE history (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  create_revision INTEGER NOT NULL,
  value BLOB  -- NULL: the key was deleted
);
CREATE INDEX history_by_key ON history (key, id);
CREATE TABLE current (key TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO progress VALUES ('compacted', 0), ('swept', 0);
"""


class Unusable(StoreError):
    """The file cannot serve as a store: damaged, written by something else, or by a newer release."""


@dataclass(slots=True)
class Database:
    """An open database: the connection that writes, and what else must be given back."""

    path: str
    connection: apsw.Connection
    lock: int | None = None
    pool: list[apsw.Connection] = field(default_factory=list)
    is_closed: bool = False

    @property
    def is_memory(self) -> bool:
        """Return whether there is no file, hence only one connection and nothing to wait for."""
        return self.path == MEMORY

    def reader(self) -> apsw.Connection:
        """Return a further connection that reads, for :meth:`give_back` when done; may wait for the disk."""
        if self.pool:
            return self.pool.pop()
        connection = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(5_000)
        connection.execute("PRAGMA query_only=ON; PRAGMA cache_size=-16384")
        return connection

    def give_back(self, connection: apsw.Connection) -> None:
        """End the connection's read transaction and keep it for the next reader."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if self.is_closed:
            connection.close()
        else:
            self.pool.append(connection)

    def close(self) -> None:
        """Close every connection, the writer last (it moves the WAL into the file), then release the lock."""
        self.is_closed = True
        for connection in self.pool:
            connection.close()
        self.connection.close()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def open_database(path: str) -> Database:
    """
    Open or create the file; blocks, up to seconds for a large file that is checked.

    Raises:
        Locked: Another process (or another store of this process) has it open.
        Unusable: See there; nothing was changed.
        OSError: The directory or file cannot be made or written.
    """
    _require_sqlite()
    if path == MEMORY:
        connection = apsw.Connection(path)
        _create(connection)
        return Database(path, connection)
    file = Path(path)
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700, parents=True)
    lock = _lock(file)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        file.chmod(0o600)
        return Database(path, _connect(file), lock)
    except BaseException:
        os.close(lock)
        raise


def _require_sqlite() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise Unusable(f"SQLite {apsw.sqlite_lib_version()} is too old, {oldest} or newer is needed: upgrade apsw")


def _lock(file: Path) -> int:
    descriptor = os.open(f"{file}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise Locked(f"store {file} is in use by process {owner}") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _connect(file: Path) -> apsw.Connection:
    is_new = file.stat().st_size == 0
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        if not is_new:
            _check(connection, file)
        # Pages of one transaction never spill into the WAL before its commit, so statements never wait for the disk.
        connection.execute(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=OFF;"
            "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864"
        ).fetchall()  # a statement that answers holds up those behind it until its answer is taken
        if is_new or not _has_schema(connection):
            _create(connection)
    except apsw.Error as error:
        connection.close()
        raise Unusable(f"store {file} cannot be opened: {error}") from error
    except Unusable:
        connection.close()
        raise
    return connection


def _has_schema(connection: apsw.Connection) -> bool:
    """Return false for a file whose first process died before the schema was committed."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").get)


def _check(connection: apsw.Connection, file: Path) -> None:
    damaged = f"store {file} is damaged: restore it from a backup, or move it away to start empty"
    try:
        application_id = connection.execute("PRAGMA application_id").get
        version = connection.execute("PRAGMA user_version").get
        if application_id != APPLICATION_ID and (application_id or _has_schema(connection)):
            raise Unusable(f"{file} is a database of another program (application id {application_id})")
        if version > SCHEMA_VERSION:
            raise Unusable(
                f"store {file} has schema {version}, this release knows {SCHEMA_VERSION}: start the newer release"
            )
        findings = connection.execute("PRAGMA quick_check(3)").fetchall()
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Unusable(f"{damaged} ({error})") from error
    if findings != [("ok",)]:
        raise Unusable(f"{damaged} ({'; '.join(str(finding[0]) for finding in findings)})")


def _create(connection: apsw.Connection) -> None:
    with connection:
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION}")


def newest_revision(connection: apsw.Connection) -> int:
    """Return the newest revision this connection sees. Compaction keeps the rows that carry it."""
    newest = connection.execute("SELECT max(id) FROM history").get
    return FIRST_REVISION if newest is None else int(newest) >> POSITION_BITS


def compacted_revision(connection: apsw.Connection) -> int:
    """Return the last compaction this connection sees, 0 when there was none."""
    return int(connection.execute("SELECT value FROM progress WHERE name = 'compacted'").get)
