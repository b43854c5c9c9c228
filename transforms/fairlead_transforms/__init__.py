"""
From the object a user wrote to the object a cluster must run, and from what clusters report to one status.

Pure functions. Read in this order: :mod:`names`, :mod:`strip`, :mod:`podtemplate`, :mod:`policy`, :mod:`pod_standards`,
:mod:`denied` (what tenants may not ask for), :mod:`downstream` (the way down),
:mod:`upstream` (Pods coming up), :mod:`division` (replicas over targets), :mod:`summarize` (one status from many).
"""
