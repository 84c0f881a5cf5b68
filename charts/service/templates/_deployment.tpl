{{/* A role, or several, as a Deployment. Takes {root, values, name, workload}. */}}
{{- define "service.deployment" -}}
{{- $v := .values -}}
{{- $fullname := include "service.fullname" .root -}}
{{- $selector := dict "root" .root "workload" .name -}}
{{- $scaled := or .workload.hpa.enabled (and .workload.keda.enabled .workload.consumes) -}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $fullname }}-{{ .name }}
  labels: {{- include "service.labels" $selector | nindent 4 }}
spec:
  {{- if not $scaled }}
  replicas: {{ .workload.replicas }}
  {{- end }}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels: {{- include "service.selector" $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "service.labels" $selector | nindent 8 }}
        {{- with $v.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $v.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ $fullname }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ include "service.gracePeriod" $v }}
      securityContext: {{- include "service.podSecurity" . | nindent 8 }}
      {{- with $v.global.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $v.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $v.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {{ include "service.selector" $selector | fromYaml | toJson }}}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      containers:
        - name: {{ $.root.Chart.Name }}
          image: {{ include "service.image" . }}
          imagePullPolicy: {{ $v.global.image.pullPolicy }}
          securityContext: {{- include "service.containerSecurity" . | nindent 12 }}
          env: {{- include "service.environment" . | nindent 12 }}
          ports:
            - {name: admin, containerPort: {{ $v.ports.admin }}}
            {{- range .workload.serves }}
            - {name: {{ . }}, containerPort: {{ get $v.ports . }}}
            {{- end }}
          {{- include "service.probes" . | nindent 10 }}
          lifecycle:
            preStop: {sleep: {seconds: {{ $v.global.shutdown.preStopSeconds }}}}
          resources: {{- toYaml .workload.resources | nindent 12 }}
          volumeMounts: {{- include "service.mounts" . | nindent 12 }}
      volumes: {{- include "service.volumes" . | nindent 8 }}
{{- end -}}

{{/* The settings of a process, as environment variables. */}}
{{- define "service.environment" -}}
{{- $v := .values -}}{{- $root := .root -}}
{{- $settings := dict
  "ADMIN_ADDRESS" (printf "0.0.0.0:%v" $v.ports.admin)
  "DATA_PATH" "/data"
  "DRAIN_SECONDS" $v.global.shutdown.drainSeconds
  "KAFKA_BOOTSTRAP" $v.global.kafka.bootstrap
  "KAFKA_IDEMPOTENCE" $v.global.kafka.idempotence
  "LOG_LEVEL" $v.global.logLevel
  "OIDC_AUDIENCE" $v.global.oidc.audience
  "OIDC_ISSUER" $v.global.oidc.issuer
  "OIDC_JWKS" $v.global.oidc.jwks
  "TRACE_SAMPLE_RATIO" $v.global.tracing.ratio -}}
{{- range .workload.serves -}}
{{- $_ := set $settings (printf "%s_ADDRESS" (upper .)) (printf "0.0.0.0:%v" (get $v.ports .)) -}}
{{- end -}}
{{- with .workload.roles -}}{{- $_ := set $settings "ROLES" (join "," .) -}}{{- end -}}
{{- with $v.global.tracing.endpoint -}}{{- $_ := set $settings "OTLP_ENDPOINT" . -}}{{- end -}}
{{- if $v.global.identity.enabled -}}
{{- $_ := set $settings "SERVICE_TOKEN_FILE" "/identity/token" -}}
{{- $_ := set $settings "WORKLOAD_ISSUER" $v.global.identity.issuer -}}
{{- $_ := set $settings "WORKLOAD_JWKS" $v.global.identity.keys -}}
{{- $_ := set $settings "WORKLOAD_JWKS_AUTHORITY" "/identity/ca.crt" -}}
{{- $_ := set $settings "WORKLOAD_JWKS_TOKEN_FILE" "/identity/cluster-token" -}}
{{- $_ := set $settings "WORKLOAD_SUBJECTS" (printf "system:serviceaccount:%s:%s-" $root.Release.Namespace $root.Release.Name) -}}
{{- end -}}
{{- if $v.global.tls.enabled -}}
{{- $_ := set $settings "GRPC_TLS_CERTIFICATE" "/tls/tls.crt" -}}
{{- $_ := set $settings "GRPC_TLS_KEY" "/tls/tls.key" -}}
{{- $_ := set $settings "GRPC_PEER_AUTHORITY" "/tls/ca.crt" -}}
{{- if $v.global.tls.mutual -}}{{- $_ := set $settings "GRPC_TLS_AUTHORITY" "/tls/ca.crt" -}}{{- end -}}
{{- if has "smtp" .workload.serves -}}
{{- $_ := set $settings "SMTP_TLS_CERTIFICATE" "/tls/tls.crt" -}}
{{- $_ := set $settings "SMTP_TLS_KEY" "/tls/tls.key" -}}
{{- end -}}
{{- end -}}
{{- range $variable, $peer := $v.calls -}}
{{- $_ := set $settings $variable (printf "%s-%s-%s-headless:%v" $root.Release.Name $peer.service $peer.workload $peer.port) -}}
{{- end -}}
{{- range $variable, $value := $v.config -}}
{{- $_ := set $settings $variable (ternary $value (toJson $value) (kindIs "string" $value)) -}}
{{- end -}}
{{- range $variable, $value := $settings }}
- {name: {{ $variable }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- include "service.kafkaEnvironment" . }}
- name: MONGODB_URI
  valueFrom: {secretKeyRef: {name: {{ $v.global.mongodb.existingSecret }}, key: {{ $v.global.mongodb.key }}}}
{{- range $variable, $secret := $v.secrets }}
{{- if $secret.existingSecret }}
- name: {{ $variable }}
  valueFrom: {secretKeyRef: {name: {{ $secret.existingSecret }}, key: {{ $secret.key }}}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Ready is what the process says of itself: over gRPC where it speaks that in clear, else on the admin port. */}}
{{- define "service.probes" -}}
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- if and (has "grpc" .workload.serves) (not .values.global.tls.enabled) }}
  grpc: {port: {{ .values.ports.grpc }}}
  {{- else }}
  httpGet: {path: /readyz, port: admin}
  {{- end }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
{{- end -}}

{{- define "service.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /data}
{{- if .values.global.identity.enabled }}
- {name: identity, mountPath: /identity, readOnly: true}
{{- end }}
{{- if .values.global.tls.enabled }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- include "service.kafkaMounts" . }}
{{- range .workload.mounts }}
- {name: {{ . }}, mountPath: {{ (get $.values.volumes .).path }}}
{{- end }}
{{- end -}}

{{- define "service.volumes" -}}
- {name: tmp, emptyDir: {}}
- {name: data, emptyDir: {}}
{{- if .values.global.identity.enabled }}
- name: identity
  projected:
    sources:
      # Who this process is, for the services that it calls; the kubelet renews it, the process reads it again.
      - serviceAccountToken: {path: token, audience: {{ .values.global.oidc.audience }}, expirationSeconds: 3600}
      # With which it reads the cluster's keys, to know who calls it.
      - serviceAccountToken: {path: cluster-token, expirationSeconds: 3600}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- if .values.global.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "service.tlsSecret" . }}, defaultMode: 0440}
{{- end }}
{{- include "service.kafkaVolumes" . }}
{{- range $name := .workload.mounts }}
{{- $volume := get $.values.volumes $name }}
{{- if $volume.emptyDir }}
- {name: {{ $name }}, emptyDir: {}}
{{- else }}
- name: {{ $name }}
  persistentVolumeClaim: {claimName: {{ $volume.existingClaim | default (printf "%s-%s" (include "service.fullname" $.root) $name) }}}
{{- end }}
{{- end }}
{{- end -}}
