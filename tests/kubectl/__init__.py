"""
Real kubectl of three minors, asked the same of Fairlead and of Kubernetes: it prints the same, with the same exit code.

``python -m tests.kubectl`` runs the whole matrix; ``tests/integration/api`` a short selection with the newest kubectl.
A scenario is a list of commands in a file of ``scenarios/``, with a namespace of its own, over ``manifests/``; the
folder of the file says which servers are compared:

- ``workspace``: a workspace that binds the compute kinds, beside kube-apiserver with the controllers that look after
  namespaces, accounts and garbage. Everything that an API server answers alone is compared here, because a workspace
  is what users see. Workloads run nowhere there: a workspace's are run by the clusters they are synced to, so a
  Deployment's status is written by the scenario itself, on both sides.
- ``cluster``: our server in its ``cluster`` profile, beside kube-apiserver, both with Kubernetes' own controller
  manager and scheduler and with kwok's nodes. Here is what needs controllers to be told at all (rollouts, pods that
  become ready, events, bound volumes), and every kind a workspace does not serve: nodes, storage, priority, quotas.

Read :mod:`.compare` (what may differ at all), :mod:`.scenarios`, :mod:`.pairs`, :mod:`.run`. ``allowed.yaml`` names
each difference that is right, and why.
"""
