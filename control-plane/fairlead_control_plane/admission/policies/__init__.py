"""
Admission policies: rules in CEL that users write about requests, enforced as Kubernetes enforces them.

Read :mod:`subject` (what a request is to a policy), :mod:`matching`, :mod:`compiled`, :mod:`evaluating` (pure: what
expressions say), then :mod:`index` and :mod:`plugin`, which find the policies and ask them.
"""
