"""
Resources as data: built-in kinds, our own kinds, CRDs and bound schemas are the same record.

Read in this order: :mod:`record` (what a resource is), :mod:`keys` (where its objects lie), :mod:`encoding` (how they
are stored), :mod:`catalog` (which resources a workspace has), :mod:`reader`; then where records come from:
:mod:`builtin` (with :mod:`facts`, :mod:`schemas`, :mod:`shape` and the ``strategies``), :mod:`own`, :mod:`custom`; and
what clients are told: :mod:`table` (with the ``printers``), :mod:`discovery`, :mod:`openapi`, :mod:`protobuf`.
"""
