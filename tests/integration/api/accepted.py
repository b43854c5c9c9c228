"""
Where Fairlead may answer kubectl otherwise than Kubernetes does: every difference, with its reason.

``RULES`` drop words from what Fairlead says before it is compared; ``COMMANDS`` are not compared at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern in what one server says, what stands for it, and why that is right."""

    pattern: str
    word: str
    reason: str


_MARK = "Every object in a workspace says in which logical cluster it is, as in kcp."
_ADDRESS = "A workspace has no network of its own; a Service gets its address in the cluster it runs in."
_PROSE = "Descriptions are Kubernetes' prose, which is not copied; names, types and order are the same."
_MADE_BY_CLUSTERS = "Autoscalers are not among the kinds that the compute export offers so far."
_ANOTHER_SET = "A workspace serves the kinds of its own and those it binds, not every kind of a cluster."

OURS = (
    Rule(
        r'^( *[+-]?) *"?annotations"?:(?: \{)?\n[+-]? +"?kcp\.io/cluster"?: "?\w+"?\n'
        r"(?:\1 *\},\n)?(?![+-]? +\S*[./]\S*: )",
        "",
        _MARK,
    ),
    Rule(r'^[+-]? *"?kcp\.io/cluster"?: "?\w+"?,?\n', "", _MARK),
    Rule(r"^(Annotations: +)kcp\.io/cluster: \w+$", r"\1<none>", _MARK),
    Rule(
        r"^Extra: authentication\.kcp\.io/scopes +\[cluster:\w+\]\n",
        "",
        "Whom somebody acts as counts in that workspace alone, and kcp says so in the user's extra values.",
    ),
)
THEIRS = (
    Rule(r"^[+-]? +clusterIP: ADDRESS\n[+-]? +clusterIPs:\n[+-]? +- ADDRESS\n", "", _ADDRESS),
    Rule(r"(ClusterIP  )ADDRESS", r"\1<none>", _ADDRESS),
)
EXPLAINED = re.compile(
    r"^(?:exit|KIND|GROUP|VERSION|FIELD|error|--- |\s*enum:|.*\t<|.*<(?!empty)\S+>$).*", re.MULTILINE
)
"""The lines of ``kubectl explain`` that are compared: """ + _PROSE
_OWNED = "The mark made the annotations before this manager did, so the map itself is not new to it."
_STRANGERS = "Who may not enter a workspace does not learn which kinds it has, as in kcp."
_SHOWN = "The message shows the patched object, whose keys come in another order."
_DECODED = "The message shows the patched object where Kubernetes shows the patch; field and code are the same."

COMMANDS: dict[str, str] = {
    "apply-server-side: get configmap settings -o yaml --show-managed-fields": _OWNED,
    'change: patch cm settings --type=merge -p \'{"data":{"new":1}}\'': _SHOWN,
    "change: patch cm settings --type=merge -p '{\"data\":[1]}'": _SHOWN,
    'change: patch cm settings --type=merge -p \'{"kind":"Secret"}\'': _SHOWN,
    'change: patch cm settings --type=merge -p \'{"apiVersion":"v2"}\'': _SHOWN,
    'change: patch deploy web -p \'{"spec":{"replicas":"three"}}\'': _DECODED,
    "who: get nodes --as=system:anonymous": _STRANGERS,
    "who: get nodes --as=alice": _ANOTHER_SET,
    "discovery: api-resources --api-group=apps -o wide": _ANOTHER_SET,
    "discovery: api-resources --api-group= -o wide": _ANOTHER_SET,
    "change: autoscale deploy web --max=3": _MADE_BY_CLUSTERS,
    "discovery: api-versions": _ANOTHER_SET,
    "discovery: version": "The server says in its version that it is Fairlead.",
    "who: auth whoami": "The administrators of the two servers have other names.",
    "who: auth whoami -o yaml": "The administrators of the two servers have other names.",
    "apply-server-side: apply --server-side -f unknown-field.yaml": "Kubernetes names the fields in random order.",
}
"""``scenario: command`` to the reason why its answers are not compared."""


def rules(of: tuple[Rule, ...] = OURS) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return compiled rules."""
    return tuple((re.compile(rule.pattern, re.MULTILINE), rule.word) for rule in of)


REQUESTS: dict[str, str] = {
    "forms: GET {ns}/configmaps?watch=1&timeoutSeconds=1 application/yaml": "What is refused is told in JSON.",
}
"""``scenario: request`` to the reason why its answers are not compared."""
