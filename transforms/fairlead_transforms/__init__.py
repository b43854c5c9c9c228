"""
From the object a user wrote to the object a cluster must run, and from what clusters report to one status.

Pure functions. Read in this order: :mod:`names`, :mod:`strip`, :mod:`podtemplate`, :mod:`downstream`, :mod:`division`,
:mod:`summarize`.
"""
