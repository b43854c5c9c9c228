"""
Judges a run by what was recorded of it: the invariants I9, I10 and I13 to I19 of synchronization.

A run, simulated or real, leaves a history (:mod:`history`, JSONL). The checker (:mod:`checker`) is pure: it reads the
history, rebuilds who wanted what where and when (:mod:`wanted`) and names every violation. Read it in that order,
then the invariants: :mod:`causes`, :mod:`agreement`, :mod:`calm`. Audit logs become a history by :mod:`audit`.
"""
