"""
A revisioned key-value store: one counter, small transactions, ordered watch, compaction.

Read :mod:`contract` first; :mod:`sqlite` is the default, :mod:`etcd` for several machines, :mod:`remote` lets another
process speak the same contract over a Unix socket.
"""
