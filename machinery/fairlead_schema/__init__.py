"""
Schemas, patches and merges as pure functions over JSON.

Read in this order: :mod:`structural` (compiled schemas: types, pruning, defaults), :mod:`openapi` (from and to OpenAPI
v3), :mod:`jsonpatch`, :mod:`mergepatch`, :mod:`strategic`, then :mod:`fieldset` and :mod:`apply` (server-side apply).
"""
