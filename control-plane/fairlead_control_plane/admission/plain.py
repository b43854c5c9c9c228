"""
The admission of a plain Kubernetes API: the plugins that kube-apiserver runs unless told otherwise, in its order.

Source: k8s.io/kubernetes pkg/kubeapiserver/options/plugins.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead_control_plane.admission.claim_resize import ClaimResize
from fairlead_control_plane.admission.contract import Plugin
from fairlead_control_plane.admission.default_classes import DefaultClasses
from fairlead_control_plane.admission.device_admins import DeviceAdmins
from fairlead_control_plane.admission.limit_ranges import LimitRanges
from fairlead_control_plane.admission.node_taints import NodeTaints
from fairlead_control_plane.admission.pod_security import PodSecurity
from fairlead_control_plane.admission.priority import Priority
from fairlead_control_plane.admission.quota import ResourceQuotas
from fairlead_control_plane.admission.runtime_classes import RuntimeClasses
from fairlead_control_plane.admission.service_accounts import ServiceAccounts
from fairlead_control_plane.admission.service_families import ServiceFamilies
from fairlead_control_plane.admission.storage_protection import StorageProtection
from fairlead_control_plane.admission.tolerations import DefaultTolerations
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Store


def plain_plugins(
    store: Store,
    kind_of: Callable[[str, str], Resource],
    suffix: Callable[[], str],
    *,
    has_controllers: bool,
    policies: Sequence[Plugin] = (),
) -> tuple[Plugin, ...]:
    """
    Return the plugins that come after the one for namespaces.

    Args:
        store: Where they look things up.
        kind_of: Finds a kind by its group and plural.
        suffix: Makes the end of a generated name.
        has_controllers: Whether somebody runs Kubernetes' controllers here. Without them nobody would take off the
            finalizers that protect storage, and claims would never go.
        policies: What users made rules of; only quota, which counts what is written, comes after them.
    """
    storage_classes = kind_of("storage.k8s.io", "storageclasses")
    protection: tuple[Plugin, ...] = (StorageProtection(),) if has_controllers else ()
    return (
        LimitRanges(store, kind_of("", "limitranges")),
        ServiceAccounts(store, kind_of("", "serviceaccounts"), suffix),
        NodeTaints(),
        PodSecurity(store, kind_of("", "namespaces"), kind_of("", "pods")),
        Priority(store, kind_of("scheduling.k8s.io", "priorityclasses")),
        DefaultTolerations(),
        *protection,
        ClaimResize(store, storage_classes),
        RuntimeClasses(store, kind_of("node.k8s.io", "runtimeclasses")),
        DefaultClasses(store, storage_classes, kind_of("networking.k8s.io", "ingressclasses")),
        *policies,
        DeviceAdmins(store, kind_of("", "namespaces")),
        ServiceFamilies(),
        ResourceQuotas(store, kind_of("", "resourcequotas")),
    )
