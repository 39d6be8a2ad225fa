{{/* Prefix of every name: `trivium` for a release called trivium. */}}
{{- define "trivium.name" -}}
{{- if contains "trivium" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-trivium{{ end -}}
{{- end }}

{{- define "trivium.selector" -}}
app.kubernetes.io/name: trivium
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* app.kubernetes.io/managed-by is left to Helm: `trivium` is the mark of what the operator has rendered. */}}
{{- define "trivium.labels" -}}
{{ include "trivium.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "trivium.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Not empty: the operator serves the whole cluster. */}}
{{- define "trivium.clusterwide" -}}
{{ if not .Values.namespaces }}yes{{ end }}
{{- end }}

{{/* Not empty: reports are taken. Their tokens are reviewed by the API server, which only a ClusterRole allows. */}}
{{- define "trivium.progress" -}}
{{ if and .Values.progress.enabled (include "trivium.clusterwide" .) }}yes{{ end }}
{{- end }}

{{/* Host of the progress endpoint; resolves in every namespace, whatever the cluster's domain is called. */}}
{{- define "trivium.progressHost" -}}
{{ include "trivium.name" . }}-progress.{{ .Release.Namespace }}.svc
{{- end }}
