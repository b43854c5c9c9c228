"""
Measurements of our server beside a real kube-apiserver with etcd: same run, same client, alternating order.

``python -m bench --rows "get list" --out FILE``. Read in this order: :mod:`rows` (what is measured), :mod:`subjects`
(who is measured), :mod:`compute` (what those need that sync), :mod:`client` (with what), :mod:`report` (what is
written).
"""
