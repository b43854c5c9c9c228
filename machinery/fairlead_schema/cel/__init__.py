"""
CEL, the Common Expression Language, with Kubernetes' libraries and cost limits, compiled to Python.

Read in this order: ``ast`` (the tree), ``types``, ``values``, ``declarations`` (what functions are), ``parser`` (what
it refuses is put into words by ``syntax``), ``checker`` (types of every node), ``schema_types`` (types of schemas),
``estimate`` (static cost), ``planner`` with ``nodes`` and ``paths`` (the interpreter, which knows all), ``compiler``
(Python source for when nothing goes wrong), ``program`` (the way in), then ``standard`` and ``libraries``. Sources: the
CEL specification (cel.dev/expr), cel-go 0.26 and k8s.io/apiserver 1.36, whose results, messages and costs are the
contract.
"""
