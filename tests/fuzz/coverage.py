"""What was asked: verb by kind, how much of it was answered 2xx, and what was never asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz.asked import Request
from tests.fuzz.kinds import Kind

_PATCHES = ("patch-merge", "patch-json", "patch-strategic", "patch-apply")
VERBS = ("create", "get", "list", "watch", "update", *_PATCHES, "delete", "deletecollection")
_OF_SUBRESOURCE = {
    "status": ("get", "update", *_PATCHES),
    "approval": ("get", "update", *_PATCHES),
    "scale": ("get", "update", *_PATCHES),
    "eviction": ("create",),
    "binding": ("create",),
    "ephemeralcontainers": ("get", "update", *_PATCHES),
    "resize": ("get", "update", *_PATCHES),
    "token": ("create",),
}
CUSTOM = "(custom)"
"""All kinds of CRDs made on the fly count as one."""


@dataclass(slots=True)
class Coverage:
    """Counts of one run; of codes, Kubernetes' count."""

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    succeeded: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)

    def add(self, request: Request, code: int) -> None:
        """Count an answered request."""
        combination = request.verb, _kind(request.kind)
        self.asked[combination] += 1
        self.codes[code] += 1
        if 200 <= code < 300:
            self.succeeded[combination] += 1

    @property
    def total(self) -> int:
        """How many were answered."""
        return self.codes.total()

    @property
    def share_2xx(self) -> float:
        """From 0 to 1."""
        return sum(count for code, count in self.codes.items() if 200 <= code < 300) / max(self.total, 1)

    def __str__(self) -> str:
        rows = [f"{self.total} requests to each server, {self.share_2xx:.1%} answered 2xx"]
        rows.append("codes: " + ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items())))
        for verb in VERBS:
            asked, good = (
                sum(count for (word, _), count in counts.items() if word == verb)
                for counts in (self.asked, self.succeeded)
            )
            kinds = len({kind for word, kind in self.asked if word == verb})
            rows.append(f"  {verb:17} {asked:8} asked of {kinds:3} collections, {good / max(asked, 1):6.1%} 2xx")
        return "\n".join(rows)

    def missed(self, kinds: list[Kind]) -> tuple[list[str], list[str], int]:
        """Return the combinations never asked, those asked but never answered 2xx, and how many there are at all."""
        wanted = {
            (verb, _kind(f"{kind.key}{end}"))
            for kind in kinds
            for end, verbs in (("", VERBS), *((f"/{name}", _OF_SUBRESOURCE[name]) for name in kind.subresources))
            for verb in verbs
        }
        never = sorted(f"{verb} {kind}" for verb, kind in wanted - set(self.asked))
        refused = sorted(f"{verb} {kind}" for verb, kind in wanted & set(self.asked) - set(self.succeeded))
        return never, refused, len(wanted)


def _kind(key: str) -> str:
    group, _, rest = key.partition("/")
    subresource = rest.split("/")[2:]
    return "/".join((CUSTOM, *subresource)) if "${id}" in group else key
