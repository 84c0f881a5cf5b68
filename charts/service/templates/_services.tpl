{{/* What a workload serves, how many there are of it, and how many may be away. Takes {root, values, name, workload}. */}}

{{- define "service.services" -}}
{{- $fullname := include "service.fullname" .root -}}
{{- $selector := dict "root" .root "workload" .name -}}
{{- if .workload.serves }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $fullname }}-{{ .name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  selector: {{- include "service.selector" $selector | nindent 4 }}
  ports:
    {{- range .workload.serves }}
    - {name: {{ . }}, port: {{ get $.values.servicePorts . | default (get $.values.ports .) }}, targetPort: {{ . }}{{ if and (eq . "grpc") (not $.values.global.tls.enabled) }}, appProtocol: kubernetes.io/h2c{{ end }}}
    {{- end }}
{{- end }}
{{- if has "grpc" .workload.serves }}
---
# One address a pod: gRPC keeps a connection to each and takes turns, which a cluster address would prevent.
apiVersion: v1
kind: Service
metadata:
  name: {{ $fullname }}-{{ .name }}-headless
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  clusterIP: None
  selector: {{- include "service.selector" $selector | nindent 4 }}
  ports: [{name: grpc, port: {{ .values.ports.grpc }}, targetPort: grpc}]
{{- end }}
{{- end -}}

{{- define "service.scaling" -}}
{{- $name := printf "%s-%s" (include "service.fullname" .root) .name -}}
{{- $selector := dict "root" .root "workload" .name -}}
{{- $target := dict "apiVersion" "apps/v1" "kind" "Deployment" "name" $name -}}
{{- if gt (int (ternary .workload.hpa.minReplicas .workload.replicas .workload.hpa.enabled)) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  {{- toYaml .workload.disruption | nindent 2 }}
  selector:
    matchLabels: {{- include "service.selector" $selector | nindent 6 }}
{{- end }}
{{- if .workload.hpa.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  scaleTargetRef: {{- toYaml $target | nindent 4 }}
  minReplicas: {{ .workload.hpa.minReplicas }}
  maxReplicas: {{ .workload.hpa.maxReplicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .workload.hpa.cpuPercent }}}}
{{- end }}
{{- if and .workload.keda.enabled .workload.consumes }}
{{- $kafka := .values.global.kafka }}
{{- $guarded := or $kafka.sasl.mechanism $kafka.tls.existingSecret }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  scaleTargetRef: {{- toYaml $target | nindent 4 }}
  minReplicaCount: {{ .workload.keda.minReplicas }}
  maxReplicaCount: {{ .workload.keda.maxReplicas }}
  triggers:
    {{- range .workload.consumes }}
    - type: kafka
      metadata:
        bootstrapServers: {{ $.values.global.kafka.bootstrap }}
        consumerGroup: {{ $.root.Chart.Name }}.{{ . }}
        topic: {{ . }}
        lagThreshold: {{ $.workload.keda.lag | quote }}
        offsetResetPolicy: earliest
        {{- if $kafka.tls.enabled }}
        tls: enable
        {{- end }}
        {{- if $kafka.sasl.mechanism }}
        sasl: {{ get (dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512") $kafka.sasl.mechanism }}
        {{- end }}
      {{- if $guarded }}
      authenticationRef: {name: {{ $name }}}
      {{- end }}
    {{- end }}
{{- if $guarded }}
---
# As the pods themselves: their user, and the files that they are given.
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ $name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  {{- if $kafka.sasl.mechanism }}
  env:
    - {parameter: username, name: KAFKA_SASL_USERNAME}
    - {parameter: password, name: KAFKA_SASL_PASSWORD}
  {{- end }}
  {{- if $kafka.tls.existingSecret }}
  secretTargetRef:
    {{- range $key := fromJsonArray (include "service.kafkaFiles" .) }}
    - {parameter: {{ get (dict "ca.crt" "ca" "tls.crt" "cert" "tls.key" "key") $key }}, name: {{ tpl $kafka.tls.existingSecret $.root }}, key: {{ $key }}}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}
