"""
The plugins, over one store.

The mutating one is among the last to change objects, the validating one comes right after it: only quota counts later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.admission.policies.index import PolicyIndex
from fairlead_control_plane.admission.policies.mutating import MutatingPolicies
from fairlead_control_plane.admission.policies.param_rights import ParamRights
from fairlead_control_plane.admission.policies.plugin import GROUP, Surroundings
from fairlead_control_plane.admission.policies.validating import ValidatingPolicies
from fairlead_control_plane.kinds.record import Resource


@dataclass(frozen=True, slots=True)
class AdmissionPolicies:
    """The plugins in their order; ``close`` ends the listening to the store."""

    plugins: tuple[Plugin, ...]
    close: Callable[[], None]


def admission_policies(around: Surroundings, kind_of: Callable[[str, str], Resource]) -> AdmissionPolicies:
    """Build them; ``kind_of`` finds a built-in kind by group and plural."""

    def index(stem: str, *, mutates: bool) -> PolicyIndex:
        policies, bindings = f"{stem}admissionpolicies", f"{stem}admissionpolicybindings"
        return PolicyIndex(around.store, kind_of(GROUP, policies), kind_of(GROUP, bindings), mutates=mutates)

    mutating, validating = index("mutating", mutates=True), index("validating", mutates=False)

    def close() -> None:
        mutating.close()
        validating.close()

    plugins = (
        MutatingPolicies(mutating, around),
        ParamRights(around, kind_of),
        ValidatingPolicies(validating, around),
    )
    return AdmissionPolicies(plugins, close)
