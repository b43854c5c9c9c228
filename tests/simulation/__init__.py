"""
A simulated day: control plane, scheduler, agents and clusters in one process, in virtual time, with seeded faults.

All of it is the product's own code; only what touches the machine is replaced: the event loop (:mod:`clock`), sockets
(:mod:`network`), the files of the control plane and its listener (:mod:`servers`). :mod:`script` decides from the seed
what users and faults do, :mod:`day` runs it and has the history judged (``tests.support.checking``).

``python -m tests.simulation`` runs seeds; the same seed gives the same history, byte for byte.
"""
