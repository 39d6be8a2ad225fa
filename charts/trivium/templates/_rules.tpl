{{/*
What the operator may do in the namespaces that it serves. No Secret, no exec, no RBAC, no ServiceAccount, no wildcard;
pods are read and never written: KubeRay makes them.
*/}}
{{- define "trivium.jobRules" -}}
- apiGroups: [trivium.dev]
  resources: [pretrainjobs, sftjobs, preferencejobs]
  verbs: [get, list, watch, delete]  # delete: ttlSecondsAfterFinished
- apiGroups: [trivium.dev]
  resources: [pretrainjobs/status, sftjobs/status, preferencejobs/status]
  verbs: [update]
- apiGroups: [ray.io]
  resources: [rayjobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [ray.io]
  resources: [rayclusters]
  verbs: [get, list, watch]
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
