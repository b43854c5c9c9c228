"""
Which cluster runs which namespace, and why.

:mod:`policy` decides (pure: snapshot in, decision and reasons out), :mod:`snapshot` is what it sees,
:mod:`controllers` reads and writes, :mod:`main` is the program.
"""
