{{/* The service graph, as one policy a workload: who may come in, and where it may go. Everything else is denied. */}}

{{/* Peers, or anybody where none is named. */}}
{{- define "service.peers" -}}
{{- if . -}}{{ toYaml . }}{{- else -}}[]{{- end -}}
{{- end -}}

{{- define "service.ports" -}}
{{- range . }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end -}}

{{- define "service.networkPolicy" -}}
{{- $v := .values -}}{{- $net := $v.global.network -}}
{{- $selector := dict "root" .root "workload" .name -}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "service.fullname" .root }}-{{ .name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "service.selector" $selector | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- include "service.ingress" . | trim | default "[]" | nindent 4 }}
  egress:
    - ports: # names
        {{- range $net.dnsPorts }}
        - {protocol: UDP, port: {{ . }}}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
    - ports: # Kafka
        {{- include "service.ports" $v.global.kafka.ports | nindent 8 }}
      {{- with $v.global.kafka.peers }}
      to: {{- tpl (toYaml .) $.root | nindent 8 }}
      {{- end }}
    - ports: # MongoDB
        {{- include "service.ports" $v.global.mongodb.ports | nindent 8 }}
      {{- with $v.global.mongodb.peers }}
      to: {{- tpl (toYaml .) $.root | nindent 8 }}
      {{- end }}
    {{- if or (has "grpc" .workload.serves) (has "smtp" .workload.serves) }}
    - ports: # the keys of the issuer, and of the cluster
        {{- include "service.ports" (concat $v.global.oidc.ports (ternary $v.global.identity.ports list $v.global.identity.enabled) | uniq) | nindent 8 }}
    {{- end }}
    {{- if $v.global.tracing.endpoint }}
    - ports: # traces
        {{- include "service.ports" $v.global.tracing.ports | nindent 8 }}
    {{- end }}
    {{- range $variable, $peer := $v.calls }}
    {{- if has $.name $peer.from }}
    - ports: [{protocol: TCP, port: grpc}] # {{ $variable }}
      to:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {{ $peer.service }}
              app.kubernetes.io/component: {{ $peer.workload }}
              app.kubernetes.io/instance: {{ $.root.Release.Name }}
    {{- end }}
    {{- end }}
    {{- range $v.external }}
    {{- if has $.name .from }}
    - ports: # {{ .about }}
        {{- include "service.ports" .ports | nindent 8 }}
      {{- with .to }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- end }}
{{- end -}}

{{/* Who may come in; empty: nobody. */}}
{{- define "service.ingress" -}}
{{- $net := .values.global.network -}}
{{- if has "grpc" .workload.serves }}
- ports: [{protocol: TCP, port: grpc}{{ if has "http" .workload.serves }}, {protocol: TCP, port: http}{{ end }}]
  from:
    - podSelector: {matchLabels: {rossio.io/client: "true", app.kubernetes.io/instance: {{ .root.Release.Name }}}}
    {{- range .workload.calledBy }}
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ .service }}
          app.kubernetes.io/component: {{ .workload }}
          app.kubernetes.io/instance: {{ $.root.Release.Name }}
    {{- end }}
    {{- with $net.clients }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}
{{- if has "smtp" .workload.serves }}
- ports:
    {{- range $port := list "smtp" "submission" "submissions" }}
    {{- if has $port $.workload.serves }}
    - {protocol: TCP, port: {{ $port }}}
    {{- end }}
    {{- end }}
  {{- with $net.mailClients }}
  from: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if has "receipts" .workload.serves }}
- ports: [{protocol: TCP, port: receipts}]
{{- end }}
{{- if $net.monitoring }}
- ports: [{protocol: TCP, port: admin}]
  from: {{- toYaml $net.monitoring | nindent 4 }}
{{- end }}
{{- end -}}
