"""
From bytes on a socket to the registry, and back.

Read in this order: :mod:`listener` (connections, limits, streams), :mod:`target` (which workspace a path names),
:mod:`dispatch` (the order of checks every request passes), then what is answered here: :mod:`health`,
:mod:`discovery`, :mod:`openapi`, :mod:`virtual`. Nothing behind the dispatcher knows which listener is in front.
"""
