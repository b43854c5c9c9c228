"""
Schemas, patches and merges as pure functions over JSON.

Read in this order: :mod:`structural` (compiled schemas; its walks are :mod:`pruning`, :mod:`defaulting`,
:mod:`decoding`, :mod:`validation`, all over :mod:`node`), :mod:`structuralness` (which CRD schemas are allowed),
:mod:`strictjson`, :mod:`jsonpatch`, :mod:`mergepatch`, :mod:`strategic`, then :mod:`fieldset`, :mod:`merging`,
:mod:`managed` and :mod:`apply` (server-side apply).
"""
