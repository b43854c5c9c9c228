"""
The agent in a physical cluster. It dials out only.

:mod:`plan` decides (pure), :mod:`down` applies, :mod:`up` reports, :mod:`identity` keeps its credential,
:mod:`heartbeat` says that it lives, :mod:`main` is the program.
"""
