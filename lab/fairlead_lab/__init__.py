"""
Simulated physical clusters: our server in its ``cluster`` profile, and a player of nodes and pods as its client.

Read ``world`` (what is known) and ``writes`` (what may be done), then ``play`` and the parts it calls: ``deployments``,
``replica_sets``, ``pods``, ``nodes``, ``services``. All of these are pure: objects and a time in, writes out.
``player`` is the thin loop that reads and writes for them.
"""
