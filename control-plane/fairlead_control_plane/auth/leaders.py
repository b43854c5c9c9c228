"""
Which of several agents for one SyncTarget is at work, and that no other can act (fault F32).

The control plane alone decides: it grants an epoch, a number that grows with each new leader and is kept on the
SyncTarget, and refuses whatever is said or asked with another one. An agent that was paused, cut off or cloned may
believe what it likes; it asks before each deletion, and is told no. Only this server's own monotonic clock counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest, Cause, Conflict

LEADER_ANNOTATION = "internal.workload.kcp.io/agent-leader"
EPOCH_HEADER = "fairlead-epoch"
LEASE_S = 15
"""For how long a leader that went silent keeps others waiting; it stops by itself before that."""
STALE_EPOCH = "StaleEpoch"
_LONGEST_NAME = 253
_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Claim:
    """
    An agent's wish to be at work.

    Attributes:
        instance: Names its state directory on its machine, also after a restart; a copy elsewhere has another.
        process: Names this one start of it.
        host: For people.
        restarted: It holds its state directory's lock and has not led yet, so who led from there before is dead.
    """

    instance: str
    process: str
    host: str
    restarted: bool

    @classmethod
    def of(cls, body: JsonObject) -> Claim:
        """
        Read a claim; fields of other versions are passed over.

        Raises:
            BadRequest: A name is missing or too long.
        """
        names = [body.get(field) for field in ("instance", "process", "host")]
        if not all(isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME for name in names):
            raise BadRequest(f"instance, process and host must be text of at most {_LONGEST_NAME} characters")
        instance, process, host = map(str, names)
        return cls(instance, process, host, body.get("restarted") is True)


@dataclass(frozen=True, slots=True)
class Leader:
    """Who is at work, since which epoch; as it stands on the SyncTarget."""

    epoch: int
    instance: str
    process: str
    host: str

    @classmethod
    def of(cls, target: JsonObject) -> Leader | None:
        """Return the leader of a SyncTarget; None while there has been none."""
        text = (target["metadata"].get("annotations") or {}).get(LEADER_ANNOTATION)
        return cls(**orjson.loads(text)) if text else None

    def text(self) -> str:
        """Return what stands on the SyncTarget."""
        return orjson.dumps(asdict(self)).decode()


class Leaders:
    """
    Leases in memory over epochs in the store.

    Args:
        now_s: Monotonic seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._started_s = now_s()
        self._renewed: dict[str, tuple[int, float]] = {}

    def is_alive(self, uid: str, leader: Leader | None) -> bool:
        """
        Tell whether a leader's lease still runs.

        After a start of this server nobody has renewed yet; whoever led before gets a whole lease to do so.
        """
        if leader is None:
            return False
        epoch, renewed_s = self._renewed.get(uid, (leader.epoch, self._started_s))
        return epoch == leader.epoch and self._now_s() - renewed_s < LEASE_S

    def judge(self, uid: str, leader: Leader | None, claim: Claim) -> Leader | None:
        """Return who leads if this claim is granted, which may be the present leader; None when it is not."""
        if leader is not None and leader.process == claim.process:
            return leader
        is_successor = leader is not None and claim.restarted and claim.instance == leader.instance
        if self.is_alive(uid, leader) and not is_successor:
            return None
        return Leader(leader.epoch + 1 if leader else 1, claim.instance, claim.process, claim.host)

    def renew(self, uid: str, leader: Leader) -> None:
        """Take note that a leader was heard of."""
        self._renewed[uid] = (leader.epoch, self._now_s())

    def release(self, uid: str, leader: Leader) -> None:
        """Take note that a leader has stopped: the next one need not wait."""
        self._renewed[uid] = (leader.epoch, self._now_s() - LEASE_S)

    def check(self, target: JsonObject, epoch: str | None, *, removes: bool) -> None:
        """
        Refuse what comes from another epoch than the present one.

        Args:
            target: The SyncTarget.
            epoch: As the agent sent it; None when it sent none, as agents before there were epochs do. These may
                speak, lest an upgrade stops them, but remove nothing while another agent is at work.
            removes: The request is about a removal.

        Raises:
            Conflict: With the cause ``StaleEpoch``.
        """
        leader = Leader.of(target)
        if epoch is None:
            stale = removes and self.is_alive(target["metadata"]["uid"], leader)
        else:
            known = int(epoch) if epoch.isdecimal() and len(epoch) <= _DIGITS else 0
            stale = leader is None or known != leader.epoch
        if stale:
            now = f"epoch {leader.epoch} ({leader.host})" if leader else "none"
            message = f"another agent is at work for SyncTarget {target['metadata']['name']}: {now}, not {epoch}"
            raise Conflict(message, causes=[Cause(STALE_EPOCH, message)])
