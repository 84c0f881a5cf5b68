{{/* Not empty where Kafka or MongoDB comes with the release, so that nothing can wait for it before the release is there. */}}
{{- define "rossio.beside" -}}
{{- $v := include "service.values" . | fromYaml -}}
{{- if or $v.global.dev (eq $v.global.kafka.source "operator") (eq $v.global.mongodb.source "operator") -}}beside{{- end -}}
{{- end -}}
