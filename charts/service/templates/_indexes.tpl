{{/* What makes a service's indexes and ends, as a container of a job. It runs before the service's pods are there, and
     so without what comes with them: service account, certificate and volumes; nor does it need Kafka, and what is
     told of it. Takes {root, seconds}. */}}
{{- define "service.indexes" -}}
{{- $v := include "service.resolved" .root | fromYaml -}}
{{- range $part := list "identity" "tls" -}}{{- $_ := set (get $v.global $part) "enabled" false -}}{{- end -}}
{{- $_ := set $v.global.tracing "endpoint" "" -}}
{{- $told := dict "root" .root "values" $v "workload" $v.workload -}}
- name: {{ .root.Chart.Name }}
  image: {{ include "service.image" $told }}
  imagePullPolicy: {{ $v.global.image.pullPolicy }}
  securityContext: {{- include "service.containerSecurity" . | nindent 4 }}
  env:
    - {name: PREPARE_SECONDS, value: {{ .seconds | quote }}}
    {{- range $variable := include "service.environment" $told | fromYamlArray }}
    {{- if not (hasPrefix "KAFKA_" $variable.name) }}
    - {{ toJson $variable }}
    {{- end }}
    {{- end }}
  resources: {{- toYaml $v.workload.resources | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: data, mountPath: /data}
{{- end -}}
