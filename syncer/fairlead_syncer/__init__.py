"""
The agent in a physical cluster. It dials out only.

Read in this order: :mod:`plan` (what to do about one object: pure), :mod:`target` (which SyncTarget this is, names and
marks), :mod:`state` (what is known of both sides), :mod:`upstream` (the virtual workspaces), :mod:`down` (objects),
:mod:`namespaces`, :mod:`tokens` (credentials of pods), :mod:`pods` (coming up), :mod:`feeds` (what is watched),
:mod:`heartbeat`, :mod:`identity` (the agent's own credential), :mod:`main` (the program).
"""
