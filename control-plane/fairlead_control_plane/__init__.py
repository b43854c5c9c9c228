"""
The control plane: one Kubernetes-compatible endpoint over one store.

A request flows down and nothing reaches up: :mod:`main` (composition, settings, certificates) > :mod:`http`
(listener, routing, content types), :mod:`controllers` > :mod:`registry` (one REST implementation for every kind)
> :mod:`tenancy` (workspaces), :mod:`sharing` (exports, bindings, which kinds a workspace has), :mod:`views`
(what each physical cluster must run) > :mod:`admission`, :mod:`auth`, :mod:`watch` > :mod:`kinds` (resources as
data) > :mod:`store` (revisioned key-value contract).
"""
