"""
Watches: one change feed for the process, told apart by prefix and selection, framed once.

Read in this order: ``selection`` (which objects a watcher sees, and as what), ``subscription`` (what a
watcher has yet to send, and who shares it), ``hub`` (who gets which event).
"""
