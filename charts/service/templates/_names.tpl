{{/* Names, labels, and the values of a chart over the defaults of this one. */}}

{{/* The values that hold, as YAML: what the chart says over service/values.yaml. */}}
{{- define "service.values" -}}
{{- $over := omit .Values "service" -}}
{{- mergeOverwrite (deepCopy .Values.service.defaults) (deepCopy $over) | toYaml -}}
{{- end -}}

{{- define "service.fullname" -}}
{{- if eq .Release.Name .Chart.Name -}}{{ .Release.Name }}{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 48 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{/* What tells the pods of a service, and of one of its workloads, from all others. Takes {root, workload?}. */}}
{{- define "service.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .workload }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "service.labels" -}}
{{ include "service.selector" . }}
app.kubernetes.io/part-of: rossio
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "service.image" -}}
{{- $v := .values -}}
{{- $name := $v.image.name | default .root.Chart.Name -}}
{{- $tag := $v.image.tag | default $v.global.image.tag | default .root.Chart.AppVersion -}}
{{- printf "%s/%s:%s" $v.global.image.registry $name $tag -}}
{{- end -}}

{{/* The secret of a service's certificate. */}}
{{- define "service.tlsSecret" -}}
{{- .values.tls.existingSecret | default (printf "%s-tls" (include "service.fullname" .root)) -}}
{{- end -}}

{{/* Seconds from SIGTERM to SIGKILL: until load balancers know, then the drain, then what ends after it. */}}
{{- define "service.gracePeriod" -}}
{{- $s := .global.shutdown -}}
{{- add $s.preStopSeconds $s.drainSeconds 10 -}}
{{- end -}}

{{/* How every container is kept small. */}}
{{- define "service.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "service.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}
