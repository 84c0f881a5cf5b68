{{/* What cannot work is said before anything is made: what is missing, and what to set. */}}

{{- define "service.checks" -}}
{{- $v := .values -}}{{- $root := .root -}}
{{- if not $v.global.kafka.bootstrap -}}
{{- fail "\n\nglobal.kafka.bootstrap is not set: the brokers' host:port, or -f values-dev.yaml for a small Kafka in the release" -}}
{{- end -}}
{{- include "service.kafkaChecks" . -}}
{{- if not $v.global.mongodb.existingSecret -}}
{{- fail "\n\nglobal.mongodb.existingSecret is not set: the name of a secret whose key `uri` is the MongoDB URI\n  kubectl create secret generic rossio-mongodb --from-literal=uri='mongodb://...'" -}}
{{- end -}}
{{- if not (and $v.global.oidc.issuer $v.global.oidc.jwks) -}}
{{- fail "\n\nglobal.oidc.issuer and global.oidc.jwks are not set: the `iss` of people's tokens, and the URL of the issuer's keys" -}}
{{- end -}}
{{- range $variable, $secret := $v.secrets -}}
{{- if and $secret.required (not $secret.existingSecret) -}}
{{- fail (printf "\n\n%s.secrets.%s.existingSecret is not set: %s" $root.Chart.Name $variable $secret.required) -}}
{{- end -}}
{{- end -}}
{{- if and $v.global.tls.enabled $v.global.tls.certManager.enabled (not $v.global.tls.certManager.issuerRef.name) -}}
{{- fail "\n\nglobal.tls.certManager.issuerRef.name is not set: the cert-manager Issuer that signs the services' certificates" -}}
{{- end -}}
{{- range $name, $volume := $v.volumes -}}
{{- if and $volume.emptyDir (not $v.global.dev) -}}
{{- fail (printf "\n\n%s.volumes.%s.emptyDir is for development: what is in it goes with the pod" $root.Chart.Name $name) -}}
{{- end -}}
{{- end -}}
{{- if not $v.global.dev -}}
{{- $wanted := dict -}}
{{- if eq $v.global.mongodb.source "external" -}}{{/* the operator makes it later */}}
{{- $_ := set $wanted $v.global.mongodb.existingSecret (list $v.global.mongodb.key) -}}
{{- end -}}
{{- if eq $v.global.kafka.source "external" -}}
{{- if $v.global.kafka.tls.existingSecret -}}
{{- $name := tpl $v.global.kafka.tls.existingSecret $root -}}
{{- $_ := set $wanted $name (concat (get $wanted $name | default list) (include "service.kafkaFiles" . | fromJsonArray)) -}}
{{- end -}}
{{- if $v.global.kafka.sasl.existingSecret -}}
{{- $name := tpl $v.global.kafka.sasl.existingSecret $root -}}
{{- $_ := set $wanted $name (concat (get $wanted $name | default list) (include "service.kafkaUser" . | fromJsonArray)) -}}
{{- end -}}
{{- end -}}
{{- range $variable, $secret := $v.secrets -}}
{{- if $secret.existingSecret -}}
{{- $_ := set $wanted $secret.existingSecret (append (get $wanted $secret.existingSecret | default list) $secret.key) -}}
{{- end -}}
{{- end -}}
{{- if and $v.global.tls.enabled (not $v.global.tls.certManager.enabled) -}}
{{- $_ := set $wanted (include "service.tlsSecret" .) (list "tls.crt" "tls.key" "ca.crt") -}}
{{- end -}}
{{- include "service.secretsAreThere" (dict "root" $root "wanted" $wanted) -}}
{{- end -}}
{{- end -}}

{{/* Takes {root, wanted: {name of a secret: its keys}}. Kinds are known from a cluster alone: who renders without one is
     not asked for secrets. */}}
{{- define "service.secretsAreThere" -}}
{{- $root := .root -}}
{{- if $root.Capabilities.APIVersions.Has "v1/Secret" -}}
{{- range $name, $keys := .wanted -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace $name -}}
{{- range $key := $keys -}}
{{- if not (hasKey ($found.data | default dict) $key) -}}
{{- fail (printf "\n\nthe secret %s in namespace %s has no key %s, which %s needs:\n  kubectl -n %s create secret generic %s --from-literal=%s=..." $name $root.Release.Namespace $key $root.Chart.Name $root.Release.Namespace $name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
