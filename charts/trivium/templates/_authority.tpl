{{/*
The CA that signs the progress endpoint's certificate, as data of its Secret. It lives ten years and is kept over upgrades.
In its second half an upgrade makes the next one and only announces it: trainers learn it with the bundle, which they read
anew at each connection. The first upgrade a day or more later begins to sign with it.

  years 0-5              ca.crt                     bundle: ca
  first upgrade after    ca.crt, next.crt           bundle: ca, next
  upgrade a day later    ca.crt (was next)          bundle: ca, previous
*/}}
{{- define "trivium.authority" -}}
{{- $name := printf "%s-progress-ca" (include "trivium.name" .) }}
{{- $known := (lookup "v1" "Secret" .Release.Namespace $name).data | default dict }}
{{- $now := now | unixEpoch | int64 }}
{{- $made := get $known "made" | b64dec | default "0" | int64 }}
{{- $data := pick $known "ca.crt" "ca.key" "made" "next.crt" "next.key" "previous.crt" }}
{{- if not (hasKey $known "ca.key") }}
{{- $ca := genCA "trivium-progress" 3650 }}
{{- $data = dict "ca.crt" (b64enc $ca.Cert) "ca.key" (b64enc $ca.Key) "made" (toString $now | b64enc) }}
{{- else if and (hasKey $known "next.key") (gt (sub $now $made) 86400) }}
{{- $data = dict "ca.crt" (get $known "next.crt") "ca.key" (get $known "next.key") "made" (get $known "made") "previous.crt" (get $known "ca.crt") }}
{{- else if and (not (hasKey $known "next.key")) (gt (sub $now $made) 157680000) }}
{{- $next := genCA "trivium-progress" 3650 }}
{{- $_ := set $data "next.crt" (b64enc $next.Cert) }}
{{- $_ := set $data "next.key" (b64enc $next.Key) }}
{{- $_ := set $data "made" (toString $now | b64enc) }}
{{- end }}
{{- toYaml $data }}
{{- end }}
