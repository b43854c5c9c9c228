"""
Kubernetes' own Go structs, where messages show them.

One struct a paragraph: its members in their order, ``Name``, or ``Name=json`` where the JSON name does not follow from
Go's, or ``json?`` for a member with a JSON name that is left out when empty. What stands for a missing one comes after
a colon: ``-`` null, ``0``, ``false``, another struct, ``*`` or ``[]`` and a struct for null; without a colon it is
``""``. ``...`` and a struct stands for all of its members.

Source: k8s.io/kubernetes pkg/apis/*/types.go.
"""

from __future__ import annotations

SHAPES = """
AWSElasticBlockStoreVolumeSource: VolumeID FSType Partition:0 ReadOnly:false
AzureDiskVolumeSource: DiskName DataDiskURI=diskURI CachingMode:- FSType:- ReadOnly:- Kind:-
AzureFilePersistentVolumeSource: SecretName ShareName ReadOnly:false SecretNamespace:-
CSINodeDriver: Name NodeID TopologyKeys:- Allocatable:*VolumeNodeResources
CSIPersistentVolumeSource: Driver VolumeHandle ReadOnly:false FSType VolumeAttributes:-
  ControllerPublishSecretRef:*SecretReference NodeStageSecretRef:*SecretReference
  NodePublishSecretRef:*SecretReference ControllerExpandSecretRef:*SecretReference
  NodeExpandSecretRef:*SecretReference
CephFSPersistentVolumeSource: Monitors:- Path User SecretFile SecretRef:*SecretReference ReadOnly:false
CinderPersistentVolumeSource: VolumeID FSType ReadOnly:false SecretRef:*SecretReference
FCVolumeSource: TargetWWNs:- Lun:- FSType ReadOnly:false WWIDs=wwids:-
FlexPersistentVolumeSource: Driver FSType SecretRef:*SecretReference ReadOnly:false Options:-
FlockerVolumeSource: DatasetName DatasetUUID
GCEPersistentDiskVolumeSource: PDName FSType Partition:0 ReadOnly:false
GlusterfsPersistentVolumeSource: EndpointsName=endpoints Path ReadOnly:false EndpointsNamespace:-
HostPathVolumeSource: Path Type:-
ISCSIPersistentVolumeSource: TargetPortal IQN Lun:0 ISCSIInterface FSType ReadOnly:false Portals:-
  DiscoveryCHAPAuth=chapAuthDiscovery:false SessionCHAPAuth=chapAuthSession:false SecretRef:*SecretReference
  InitiatorName:-
LabelSelector: matchLabels? matchExpressions?:[]LabelSelectorRequirement
LabelSelectorRequirement: key operator values?
LocalVolumeSource: Path FSType:-
NFSVolumeSource: Server Path ReadOnly:false
NodeSelector: NodeSelectorTerms:[]NodeSelectorTerm
NodeSelectorRequirement: Key Operator Values:-
NodeSelectorTerm: MatchExpressions:[]NodeSelectorRequirement MatchFields:[]NodeSelectorRequirement
ObjectReference: Kind Namespace Name UID APIVersion ResourceVersion FieldPath
PersistentVolumeClaimSpec: AccessModes:- Selector:*LabelSelector Resources:VolumeResourceRequirements VolumeName
  StorageClassName:- VolumeMode:- DataSource:*TypedLocalObjectReference DataSourceRef:*TypedObjectReference
  VolumeAttributesClassName:-
PersistentVolumeSource: GCEPersistentDisk:*GCEPersistentDiskVolumeSource
  AWSElasticBlockStore:*AWSElasticBlockStoreVolumeSource HostPath:*HostPathVolumeSource
  Glusterfs:*GlusterfsPersistentVolumeSource NFS:*NFSVolumeSource RBD:*RBDPersistentVolumeSource
  Quobyte:*QuobyteVolumeSource ISCSI:*ISCSIPersistentVolumeSource FlexVolume:*FlexPersistentVolumeSource
  Cinder:*CinderPersistentVolumeSource CephFS=cephfs:*CephFSPersistentVolumeSource FC:*FCVolumeSource
  Flocker:*FlockerVolumeSource AzureFile:*AzureFilePersistentVolumeSource
  VsphereVolume:*VsphereVirtualDiskVolumeSource AzureDisk:*AzureDiskVolumeSource
  PhotonPersistentDisk:*PhotonPersistentDiskVolumeSource PortworxVolume:*PortworxVolumeSource
  ScaleIO:*ScaleIOPersistentVolumeSource Local:*LocalVolumeSource StorageOS=storageos:*StorageOSPersistentVolumeSource
  CSI:*CSIPersistentVolumeSource
PersistentVolumeSpec: Capacity:- ...PersistentVolumeSource AccessModes:- ClaimRef:*ObjectReference
  PersistentVolumeReclaimPolicy StorageClassName MountOptions:- VolumeMode:- NodeAffinity:*VolumeNodeAffinity
  VolumeAttributesClassName:-
PhotonPersistentDiskVolumeSource: PdID FSType
PortworxVolumeSource: VolumeID FSType ReadOnly:false
QuobyteVolumeSource: Registry Volume ReadOnly:false User Group Tenant
RBDPersistentVolumeSource: CephMonitors=monitors:- RBDImage=image FSType RBDPool=pool RadosUser=user Keyring
  SecretRef:*SecretReference ReadOnly:false
ScaleIOPersistentVolumeSource: Gateway System SecretRef:*SecretReference SSLEnabled:false ProtectionDomain StoragePool
  StorageMode VolumeName FSType ReadOnly:false
SecretReference: Name Namespace
StorageOSPersistentVolumeSource: VolumeName VolumeNamespace FSType ReadOnly:false SecretRef:*ObjectReference
TypedLocalObjectReference: APIGroup:- Kind Name
TypedObjectReference: APIGroup:- Kind Name Namespace:-
VolumeAttachmentSource: PersistentVolumeName:- InlineVolumeSpec:*PersistentVolumeSpec
VolumeAttachmentSpec: Attacher Source:VolumeAttachmentSource NodeName
VolumeNodeAffinity: Required:*NodeSelector
VolumeNodeResources: Count:-
VolumeResourceRequirements: Limits:- Requests:-
VsphereVirtualDiskVolumeSource: VolumePath FSType StoragePolicyName StoragePolicyID
"""
