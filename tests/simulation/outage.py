"""F20 in virtual time: an agent that hears nothing of its control plane for 24 hours deletes nothing."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation import day
from tests.simulation.script import DAY, Deed
from tests.support.checking.checker import Violation
from tests.support.checking.history import Owner, Written

_HOST = day.HOSTS[0]
_OUT_S = 86400.0
_BEGINS_S = 600.0
_ASKED_S = 60.0
"""What was asked for before the cut, and is deleted soon after it, was no decision made during it."""
_LENGTH = replace(DAY, day_s=_BEGINS_S + _OUT_S + 600.0)


def simulate(how: str) -> tuple[list[Violation], str]:
    """
    Cut an agent off for 24 hours, in which users above and people in the cluster go on.

    Args:
        how: ``refused`` or ``silent``.

    Returns:
        What is wrong, and what there was to see.
    """
    outcome = day.simulate(20, _LENGTH, deeds=_deeds(how))
    begun_s = day.base().at_s + _BEGINS_S
    below = [
        one for one in outcome.records if isinstance(one, Written) and one.actor == f"agent:{_uid()}" and one.where
    ]
    standing: dict[str, Owner] = {}
    for one in below:
        if one.at_s < begun_s and one.owner is not None and one.verb == "create":
            standing[one.uid] = one.owner
        elif one.at_s < begun_s and one.verb == "delete":
            standing.pop(one.uid, None)
    during = [one for one in below if begun_s + _ASKED_S < one.at_s < begun_s + _OUT_S and one.verb == "delete"]
    after = [one for one in below if one.at_s > begun_s + _OUT_S]
    wrong = [Violation("F20", f"{one.resource} {one.name} was deleted at {one.at_s:.1f}") for one in during]
    again = [one for one in after if one.verb == "create" and one.owner in standing.values()]
    wrong += [Violation("F20", f"{one.resource} {one.name} was made again after the outage") for one in again]
    if not standing or not any(one.verb == "delete" for one in after):
        wrong.append(Violation("F20", "nothing stood before the outage, or nothing was made good after it"))
    seen = f"{len(during)} deletions and {len(standing)} objects standing after 24 hours"
    return [*outcome.violations, *wrong], seen


def _uid() -> str:
    return next(target.uid for target in day.base().targets if target.host == _HOST)


def _deeds(how: str) -> list[Deed]:
    """Make some objects, cut the way up, and change and delete some of them above while it is cut."""
    kinds = ("configmaps", "secrets", "services", "deployments")
    before = [_deed(10.0 + number, "put", kind, name) for number, kind in enumerate(kinds) for name in "abcd"]
    cut = replace(_deed(_BEGINS_S, "cut_above", "", how), for_s=_OUT_S)
    hours = _OUT_S / 10
    during = [_deed(_BEGINS_S + number * hours, "delete", kind, "a") for number, kind in enumerate(kinds, 1)]
    during += [_deed(_BEGINS_S + number * hours, "put", kind, "b") for number, kind in enumerate(kinds, 5)]
    return [*before, cut, *during]


def _deed(at_s: float, what: str, kind: str, name: str) -> Deed:
    return Deed(at_s, what, _HOST, "team-a", "default", kind, name, round(at_s), 1.0)
