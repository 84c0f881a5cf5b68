{{/* The values that hold, as YAML, with the templates in them written out. */}}
{{- define "service.resolved" -}}
{{- $v := include "service.values" . | fromYaml -}}
{{- $_ := set $v.global.kafka "bootstrap" (tpl $v.global.kafka.bootstrap .) -}}
{{- $_ := set $v.global.mongodb "existingSecret" (tpl $v.global.mongodb.existingSecret .) -}}
{{- $_ := set $v.global.oidc "jwks" (tpl $v.global.oidc.jwks .) -}}
{{- range $variable, $secret := $v.secrets -}}
{{- $_ := set $secret "existingSecret" (tpl ($secret.existingSecret | default "") $) -}}
{{- $_ := set $secret "key" ($secret.key | default ($variable | lower | replace "_" "-")) -}}
{{- end -}}
{{- toYaml $v -}}
{{- end -}}

{{/* Everything that a service is made of. A service's chart has one template, which includes this. */}}
{{- define "service.all" -}}
{{- $v := include "service.resolved" . | fromYaml -}}
{{- $told := dict "root" . "values" $v -}}
{{- include "service.checks" $told -}}
{{ include "service.serviceAccount" $told }}
{{- range $name, $own := $v.workloads }}
{{- $workload := mergeOverwrite (deepCopy $v.workload) $own }}
{{- if $v.global.tls.enabled }}
{{- $_ := set $workload "serves" (concat $workload.serves $workload.servesOverTls) }}
{{- end }}
{{- $all := dict "root" $ "values" $v "name" $name "workload" $workload }}
{{ include "service.deployment" $all }}
{{ include "service.services" $all }}
{{ include "service.scaling" $all }}
{{- if $v.global.network.enabled }}
{{ include "service.networkPolicy" $all }}
{{- end }}
{{- end }}
{{ include "service.volumeClaims" $told }}
{{ include "service.certificate" $told }}
{{ include "service.monitoring" $told }}
{{- end -}}

{{- define "service.serviceAccount" -}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "service.fullname" .root }}
  labels: {{- include "service.labels" (dict "root" .root) | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "service.volumeClaims" -}}
{{- range $name, $volume := .values.volumes }}
{{- if not (or $volume.existingClaim $volume.emptyDir) }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "service.fullname" $.root }}-{{ $name }}
  labels: {{- include "service.labels" (dict "root" $.root) | nindent 4 }}
  # What people have is not thrown away with a release.
  annotations: {helm.sh/resource-policy: keep}
spec:
  accessModes: [{{ $volume.accessMode }}]
  {{- if hasKey $volume "storageClassName" }}
  storageClassName: {{ $volume.storageClassName | quote }}
  {{- end }}
  resources: {requests: {storage: {{ $volume.size }}}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.certificate" -}}
{{- $tls := .values.global.tls }}
{{- if and $tls.enabled $tls.certManager.enabled (not .values.tls.existingSecret) }}
{{- $name := include "service.fullname" .root }}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ $name }}
  labels: {{- include "service.labels" (dict "root" .root) | nindent 4 }}
spec:
  secretName: {{ include "service.tlsSecret" . }}
  issuerRef: {{- toYaml $tls.certManager.issuerRef | nindent 4 }}
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  usages: [server auth, client auth]
  dnsNames:
    - localhost # who reaches it by kubectl port-forward
    {{- range $workload, $_ := .values.workloads }}
    {{- range $suffix := list "" "-headless" }}
    - {{ $name }}-{{ $workload }}{{ $suffix }}
    - {{ $name }}-{{ $workload }}{{ $suffix }}.{{ $.root.Release.Namespace }}.svc
    - {{ $name }}-{{ $workload }}{{ $suffix }}.{{ $.root.Release.Namespace }}.svc.cluster.local
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "service.monitoring" -}}
{{- $monitoring := .values.global.monitoring }}
{{- if $monitoring.serviceMonitor }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "service.fullname" .root }}-admin
  labels:
    {{- include "service.labels" (dict "root" .root) | nindent 4 }}
    rossio.io/metrics: "true"
spec:
  clusterIP: None
  publishNotReadyAddresses: true  # a pod that is not ready is the one to look at
  selector: {{- include "service.selector" (dict "root" .root) | nindent 4 }}
  ports: [{name: admin, port: {{ .values.ports.admin }}, targetPort: admin}]
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "service.fullname" .root }}
  labels: {{- include "service.labels" (dict "root" .root) | nindent 4 }}{{ with $monitoring.labels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  # The service's name is the job, by which alerts and dashboards know it.
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels: {{- include "service.selector" (dict "root" .root) | nindent 6 }}
      rossio.io/metrics: "true"
  endpoints:
    - port: admin
      interval: {{ $monitoring.interval }}
      relabelings:
        - {sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], targetLabel: service}
        - {sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component], targetLabel: workload}
{{- end }}
{{- end -}}
