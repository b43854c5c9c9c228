"""
A real soak: real clusters, one real control plane, agents behind links that break, users, faults; then the judgement.

``python -m tests.soak --minutes 30 --seed 1 --objects 500``. Read :mod:`run` first, then what it puts together: what
happens (:mod:`plan`, from a seed), to what (:mod:`stage`), by whom (:mod:`people`, :mod:`faults`), and how it is known
what happened: the store's own history (:mod:`tap`), request and audit logs, processes (:mod:`measuring`).
:mod:`telling` makes the history of it that ``tests/support/checking`` judges, :mod:`ending` waits until both sides
agree, :mod:`report` counts.
"""
