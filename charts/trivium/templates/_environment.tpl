{{/* The operator's settings: docs/reference/operator-settings.md. Ports stay as they are. */}}
{{- define "trivium.environment" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TRIVIUM_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: TRIVIUM_LEASE_NAME
  value: {{ include "trivium.name" . }}-operator
{{- with .Values.namespaces }}
- name: TRIVIUM_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.profiles }}
- name: TRIVIUM_PROFILES_FILE
  value: /etc/trivium/profiles/profiles.yaml
{{- end }}
- name: TRIVIUM_NUM_WORKERS
  value: {{ .Values.operator.workers | quote }}
- name: TRIVIUM_LOG_LEVEL
  value: {{ .Values.operator.logLevel }}
- name: TRIVIUM_LOG_FORMAT
  value: {{ .Values.operator.logFormat }}
{{- if include "trivium.progress" . }}
- name: TRIVIUM_POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: TRIVIUM_PROGRESS_URL
  value: https://{{ include "trivium.progressHost" . }}:8443/v1alpha1/progress
- name: TRIVIUM_PROGRESS_SERVICE
  value: {{ include "trivium.name" . }}-progress
- name: TRIVIUM_TLS_FOLDER
  value: /etc/trivium/tls
{{- end }}
{{- end }}
