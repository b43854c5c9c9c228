"""
The cells of kubectl's tables for built-in kinds: one function a column, given the object.

:mod:`registry` joins them with the column definitions in ``data/columns.json``.
Source: k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""
