{{- define "syncer.id" -}}
{{- required "agentId is required: kubectl fairlead cluster join NAME --context CONTEXT --print -o helm prints it with all values that have to be given" .Values.agentId -}}
{{- end -}}

{{/* What pods are chosen by: that of `cluster join`. */}}
{{- define "syncer.selectorLabels" -}}
app: {{ include "syncer.id" . }}
{{- end -}}

{{- define "syncer.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: syncer
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: fairlead
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "syncer.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default (printf "v%s" .Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{- define "syncer.secret" -}}
{{- .Values.credentials.existingSecret | default (include "syncer.id" .) -}}
{{- end -}}

{{- define "syncer.url" -}}
{{- required "controlPlane.url is required: https://HOST:PORT of the control plane" .Values.controlPlane.url -}}
{{- end -}}

{{- define "syncer.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "syncer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "syncer.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "syncer.labels" .root | nindent 2 }}
{{- end -}}
