"""
Workspaces: a tree of logical clusters, each made in one transaction and costing rows only.

Read in this order: :mod:`paths` (which logical cluster a path means), :mod:`types` (what a WorkspaceType asks for),
:mod:`creation` (a logical cluster's first rows), :mod:`lifecycle` (what a write to a Workspace brings with it),
:mod:`admission` (what may be written), :mod:`home` (``workspaces/~``).
"""
