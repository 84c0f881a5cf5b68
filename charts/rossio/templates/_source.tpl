{{/* Not empty where Kafka or MongoDB comes with the release, so that nothing can wait for it before the release is there. */}}
{{- define "rossio.beside" -}}
{{- $v := include "service.values" . | fromYaml -}}
{{- if or $v.global.dev (eq $v.global.kafka.source "operator") (eq $v.global.mongodb.source "operator") -}}beside{{- end -}}
{{- end -}}

{{/* The hooks at which there is a store: where it comes with the release, not before the installation. */}}
{{- define "rossio.whileStored" -}}
{{- $v := include "service.values" . | fromYaml -}}
{{- if not (or $v.global.dev (eq $v.global.mongodb.source "operator")) -}}pre-install,{{- end -}}pre-upgrade
{{- end -}}

{{/* The secret of the directory's certificate, whose ca.crt is the authority of all. */}}
{{- define "rossio.directoryTls" -}}
{{- (.Values.directory.tls | default dict).existingSecret | default (printf "%s-directory-tls" .Release.Name) -}}
{{- end -}}
