"""
CEL, the Common Expression Language, with Kubernetes' libraries and cost limits, compiled to Python.

Read in this order: ``ast`` (the tree), ``types``, ``values``, ``declarations`` (what functions are), ``parser`` (what
it refuses is put into words by ``syntax``), ``checker`` (types of every node), ``schema_types`` (types of schemas),
``estimate`` (static cost), ``compiler`` (Python source with run-time cost), then ``libraries``. Sources: the CEL
specification (cel.dev/expr), cel-go 0.26 and k8s.io/apiserver 1.36, whose results, messages and costs are the contract.
"""
