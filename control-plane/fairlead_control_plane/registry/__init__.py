"""
One REST implementation for every kind, over HTTP and in process.

Read in this order: ``call`` (what is asked), ``options`` and ``media`` (how), ``reading``, ``watching``, ``preparing``
and ``committing`` (what every write goes through), ``creating``, ``updating``, ``patching``, ``deleting``, and
``registry``, where they meet.
"""
