"""
APIs published from one workspace and bound in others, and from that what each workspace serves.

Read in this order: :mod:`objects` (making complete objects), :mod:`rows` (the cache under everything),
:mod:`identity` and :mod:`exports` (whose data an API's objects are), :mod:`bindings` (what a binding gives),
:mod:`catalog` (which resources a workspace has), :mod:`policy` (what a provider allows at most), :mod:`admission`.
"""
