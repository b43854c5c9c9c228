"""
Who is it, and may they.

Read in this order: :mod:`rbac` (rules and their index), :mod:`bootstrap` (roles that hold everywhere),
:mod:`authorize` (the chain of decisions), :mod:`tokens` (service account tokens), :mod:`authenticate` (from request to
user), :mod:`impersonation`, :mod:`escalation` (nobody grants more than they have), :mod:`reviews` (the access review
APIs), :mod:`token_request`.
"""
