"""
Watches: one change feed for the process, told apart by prefix and selection, framed once.

Read in this order: ``selection`` (which objects a watcher sees, and as what), ``hub`` (who gets which event).
"""
