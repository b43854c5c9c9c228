"""
What the control plane does by itself. Read ``runner`` first: one change feed, one queue, a durable cursor.

``garbage`` follows owner references, ``namespaces`` empties what is being deleted, ``crds`` establishes definitions,
``rootca`` restores what every namespace has.
"""
