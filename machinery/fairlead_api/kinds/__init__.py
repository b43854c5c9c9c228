"""
Our own API types: kcp's, with optional additions of ours.

Read :mod:`model` (what they are made of), then one module per group, then :mod:`registry` (what the server serves) and
:mod:`schema` (a model as a Kubernetes schema). Models are for typed reading: unknown fields are ignored, not kept.
"""
