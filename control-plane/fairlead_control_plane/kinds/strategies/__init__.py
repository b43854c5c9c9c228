"""
What Kubernetes does to each built-in kind beyond its schema: server-set fields, dependent defaults, validation.

Read :mod:`metadata` (all kinds), then :mod:`registry` (which strategy a kind has); one module a kind family. Every
function is pure; messages, reasons and field paths are Kubernetes'.
"""
