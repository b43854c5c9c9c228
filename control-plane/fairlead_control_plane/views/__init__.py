"""
Views: what each physical cluster must run of what users wrote, as rows of their own (design sections 2 and 6).

Read in this order: :mod:`rows` (what a row holds, where it lies), :mod:`targets` (the SyncTargets, cached),
:mod:`assignment` (where a namespace runs), :mod:`effects` (rows written in the transaction of what caused them),
:mod:`build` (the object a target is shown), :mod:`reports` (what a target said, and the status users see),
:mod:`progress` (how far a move is).
"""
