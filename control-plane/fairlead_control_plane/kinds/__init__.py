"""
Resources as data: built-in kinds, our own kinds, CRDs and bound schemas are the same record.

Read in this order: :mod:`record` (what a resource is), :mod:`keys` (where its objects lie), :mod:`encoding` (how they
are stored), :mod:`catalog` (which resources a workspace has), :mod:`reader`; then :mod:`builtin`, :mod:`own`,
:mod:`custom` (where records come from), :mod:`table`, :mod:`discovery`, :mod:`openapi` (what clients are told of them).
"""
