"""
What every program of ours runs on.

Read in this order: :mod:`web` (request and response), :mod:`log`, :mod:`metrics`, :mod:`component` (start, stop,
guarded tasks), :mod:`kubeconfig`, :mod:`transport` and :mod:`client` (the one Kubernetes client), :mod:`reflector` and
:mod:`cache` (change feed into a bounded cache), :mod:`queue`, :mod:`controller`, :mod:`lease`.
"""
