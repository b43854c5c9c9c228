"""Checks of the control plane, and of what its user may do."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

from fairlead_api.errors import NotFound
from fairlead_cli import kinds, registering
from fairlead_cli.checking import asking, certificates, room, versions
from fairlead_cli.checking.asking import Kept
from fairlead_cli.checking.catalogue import PLANE, check
from fairlead_cli.checking.model import Category, Finding, Level, not_verified
from fairlead_cli.options import Server
from fairlead_cli.session import Session, connected
from fairlead_machinery.client import Gvr
from fairlead_machinery.kubeconfig import Credentials
from fairlead_machinery.transport import Unreachable

CLOCK_WARNING_S, CLOCK_ERROR_S = 10.0, 60.0
"""An agent proves who it is with the time of its own clock; the server takes it within a minute."""
_CONFIG_MAPS = Gvr("", "v1", "configmaps")
_VERSION = metadata.version("fairlead")
_VERBS = ("list", "get", "create", "patch", "delete")


@dataclass(slots=True)
class Plane:
    """
    The control plane, as far as it is known.

    Attributes:
        server: Which one was meant.
        stack: Closes what was opened.
        here: The connection; set by the first check.
        present: Shows the certificate of a URL.
    """

    server: Server
    stack: AsyncExitStack
    here: list[Session] = field(default_factory=list)
    _version: Kept[str] | None = None
    _offset_s: Kept[float | None] | None = None
    _certificate: Kept[bytes] | None = None

    @property
    def session(self) -> Session:
        """The connection."""
        return self.here[0]

    async def open(self) -> None:
        """Read the kubeconfig and make ready to talk."""
        if not self.here:
            self.take(await self.stack.enter_async_context(connected(self.server)))

    def take(self, session: Session) -> None:
        """Use a connection."""
        self.here = [session]
        top = session.top
        self._version = Kept(lambda: asking.git_version(top))
        self._offset_s = Kept(lambda: asking.clock_offset_s(top))
        self._certificate = Kept(lambda: certificates.presented(top.host, top.credentials.tls_server_name))

    async def version(self) -> str:
        """Return the ``gitVersion``."""
        assert self._version is not None
        return await self._version()

    async def offset_s(self) -> float | None:
        """Return by how much the server's clock is ahead of ours; None if untold."""
        assert self._offset_s is not None
        return await self._offset_s()

    async def certificate(self) -> bytes:
        """Return the certificate the server shows, DER."""
        assert self._certificate is not None
        return await self._certificate()

    async def now(self) -> datetime:
        """Return the time by the server's clock, which heartbeats are stamped with."""
        return datetime.now(UTC) + timedelta(seconds=await self.offset_s() or 0.0)

    def forget(self) -> None:
        """Have everything asked anew."""
        for kept in (self._version, self._offset_s, self._certificate):
            if kept is not None:
                kept.forget()

    # --- the checks --------------------------------------------------------------------------------------------------

    def category(self) -> Category:
        """Return the checks."""
        work = {
            "kubeconfig": self.open,
            "api-reachable": self.reachable,
            "api-trusted": self.trusted,
            "api-certificate": self.lasting,
            "api-authority": self.authority,
            "api-version": self.same_version,
            "api-ready": self.ready,
            "api-store": self.store,
            "api-clock": self.clock,
            "api-write": self.takes_writes,
            "user-rights": self.rights,
            "user-credentials": self.credentials,
            "compute-export": self.compute,
        }
        return Category(PLANE, "", [check(id_, one) for id_, one in work.items()], self.forget)

    async def reachable(self) -> Finding | None:
        """Somebody listens there."""
        if self.session.top.credentials.proxy_url:
            return None  # the next check goes the proxy's way
        try:
            await self.certificate()
        except Unreachable as error:
            return Finding(f"no answer: {error}", "is it running, and is the context the right one?")
        return None

    async def trusted(self) -> Finding | None:
        """It is who it says."""
        try:
            await self.version()
        except Unreachable as error:
            return Finding(str(error), "take the kubeconfig that this control plane wrote, admin.kubeconfig")
        if self.session.top.credentials.insecure:
            text = "the kubeconfig says insecure-skip-tls-verify: whoever answers is believed"
            return Finding(text, "name its certificate-authority instead", Level.WARNING)
        return None

    async def lasting(self) -> Finding | None:
        """Its certificate does not end soon."""
        if self.session.top.credentials.proxy_url:
            return not_verified("it is reached through a proxy")
        shown = await self.certificate()
        if not shown:
            return Finding("it does not speak TLS: tokens can be read on the way", level=Level.WARNING)
        ends = certificates.ends_of(shown)
        return certificates.until("its certificate", ends, await self.now(), "restart the control plane: it renews it")

    async def authority(self) -> Finding | None:
        """The authority that everybody was given does not end soon."""
        given = self.session.top.credentials.ca
        if not given:
            return None  # the system's, which is its owner's business
        ends = certificates.last_end_of(given)
        fix = "restart the control plane, which renews it, then join clusters again and give users the new kubeconfig"
        soon = certificates.AUTHORITY_SOON
        return certificates.until("its certificate authority", ends, await self.now(), fix, soon=soon)

    async def same_version(self) -> Finding | None:
        """The command line is not newer than the server, nor much older."""
        server = await self.version()
        its = versions.fairlead_of(server)
        if not its:
            return Finding(f"the server says its version is {server}: it is no Fairlead", "choose another context")
        return versions.skew("this command", _VERSION, its, f"install version {its} of the command line")

    async def ready(self) -> Finding | None:
        """``/readyz`` says so, part by part."""
        answer = await asking.raw(self.session.top, "/readyz", {"verbose": ""})
        if answer.code == 200:
            return None
        lines = answer.body.decode(errors="replace").splitlines()
        failed = [line[3:].partition(" ")[0] for line in lines if line.startswith("[-]")]
        what = asking.some(failed) or f"/readyz answers {answer.code}"
        return Finding(f"not ready: {what}", "read the control plane's log")

    async def store(self) -> Finding | None:
        """Its store has room to grow."""
        answer = await asking.raw(self.session.top, "/metrics")
        if answer.code != 200:
            return not_verified(f"/metrics answers {answer.code}", "run the check as a user who may look at this")
        return room.finding(room.sizes_of(answer.body.decode(errors="replace")))

    async def clock(self) -> Finding | None:
        """Its clock is ours."""
        offset_s = await self.offset_s()
        return clock_finding({"the control plane": offset_s})

    async def takes_writes(self) -> Finding | None:
        """A write gets as far as the store, where it ends."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "fairlead-check-"}}
        await self.session.here.create(_CONFIG_MAPS, body, namespace="default", query={"dryRun": "All"})
        return None

    async def rights(self) -> Finding | None:
        """The user may do what ``kubectl fairlead cluster`` does."""
        wanted = [(kinds.SYNC_TARGETS, verb, "") for verb in _VERBS]
        missing = await asking.refused(self.session.here, wanted)
        if not missing:
            return None
        fix = f"have somebody bind a role with that to you in {self.session.place.path}"
        return Finding(f"you may not {asking.some(missing)}", fix)

    async def credentials(self) -> Finding | None:
        """They do not end soon."""
        return await credentials_finding(self.session.top.credentials, await self.now())

    async def compute(self) -> Finding | None:
        """The export that workspaces bind is there and holds something."""
        path, name = registering.DEFAULT_EXPORT["path"], registering.DEFAULT_EXPORT["export"]
        fix = "restart the control plane: it makes what is missing"
        try:
            export = await self.session.top.at(path).get(kinds.API_EXPORTS, name)
        except NotFound:
            return Finding(f'there is no APIExport "{name}" in {path}', fix)
        if not (export.get("spec") or {}).get("latestResourceSchemas"):
            return Finding(f'APIExport "{name}" in {path} holds no resources', fix)
        if not (export.get("status") or {}).get("identityHash"):
            return Finding(f'APIExport "{name}" in {path} has no identity', "read the control plane's log")
        return None


def clock_finding(offsets_s: dict[str, float | None]) -> Finding | None:
    """Judge how far clocks are apart from this machine's and so from each other; the worst counts."""
    known = {"this machine": 0.0, **{who: offset for who, offset in offsets_s.items() if offset is not None}}
    first, last = min(known, key=lambda who: known[who]), max(known, key=lambda who: known[who])
    apart_s = known[last] - known[first]
    if apart_s < CLOCK_WARNING_S:
        untold = [who for who, offset in offsets_s.items() if offset is None]
        return not_verified(f"{' and '.join(untold)} did not tell the time") if untold else None
    level = Level.ERROR if apart_s >= CLOCK_ERROR_S else Level.WARNING
    return Finding(f"{last} is {apart_s:.0f} s ahead of {first}", "have both keep time with NTP", level)


async def credentials_finding(credentials: Credentials, now: datetime) -> Finding | None:
    """Judge how long a user's certificate or token is good for; what does not say when it ends does not end."""
    if credentials.certificate:
        ends = certificates.ends_of(credentials.certificate)
        return certificates.until("your certificate", ends, now, "get a new one")
    token = credentials.token
    if credentials.token_file:
        token = (await asyncio.to_thread(Path(credentials.token_file).read_text)).strip()
    expiry_s = certificates.expiry_of(token)
    if expiry_s is None or credentials.token_file:
        # A file is renewed by whoever writes it: only one that has ended is wrong.
        is_over = expiry_s is not None and expiry_s <= now.timestamp()
        return Finding(f"the token in {credentials.token_file} has ended") if is_over else None
    return certificates.until("your token", datetime.fromtimestamp(expiry_s, UTC), now, "get a new one")
