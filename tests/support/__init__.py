"""
What tests stand on: real programs, clusters made of them, our own server as a process, faults on the wire.

Read in this order: :mod:`waiting`, :mod:`processes`, :mod:`binaries`, :mod:`clusters` (the interface and the choice),
:mod:`process_cluster` and :mod:`kind_cluster` (its two implementations), :mod:`servers`, :mod:`proxy`,
:mod:`fixtures` (what pytest hands to tests).
"""
