{{/* How the brokers are reached, for all that speaks to them: services, and the job that makes the topics. Each takes
     {root, values}. Files that are renewed are read again; a user that is changed holds for new pods. */}}

{{- define "service.kafkaEnvironment" -}}
{{- $kafka := .values.global.kafka -}}
{{- if $kafka.tls.enabled }}
- {name: KAFKA_TLS, value: "true"}
{{- if $kafka.tls.existingSecret }}
- {name: KAFKA_TLS_AUTHORITY, value: /kafka/ca.crt}
{{- end }}
{{- if $kafka.tls.clientCertificate }}
- {name: KAFKA_TLS_CERTIFICATE, value: /kafka/tls.crt}
- {name: KAFKA_TLS_KEY, value: /kafka/tls.key}
{{- end }}
{{- end }}
{{- with $kafka.sasl }}
{{- if .mechanism }}
{{- $secret := tpl .existingSecret $.root }}
- {name: KAFKA_SASL_MECHANISM, value: {{ .mechanism }}}
{{- if .username }}
- {name: KAFKA_SASL_USERNAME, value: {{ tpl .username $.root | quote }}}
{{- else }}
- name: KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: username}}
{{- end }}
- name: KAFKA_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password}}
{{- if .withoutTls }}
- {name: KAFKA_SASL_WITHOUT_TLS, value: "true"}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.kafkaMounts" -}}
{{- if and .values.global.kafka.tls.enabled .values.global.kafka.tls.existingSecret }}
- {name: kafka, mountPath: /kafka, readOnly: true}
{{- end }}
{{- end -}}

{{- define "service.kafkaVolumes" -}}
{{- $tls := .values.global.kafka.tls -}}
{{- if and $tls.enabled $tls.existingSecret }}
- name: kafka
  secret:
    secretName: {{ tpl $tls.existingSecret .root }}
    defaultMode: 0440
    items:
      {{- range fromJsonArray (include "service.kafkaFiles" .) }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- end -}}

{{/* The keys of the secret of tls, as JSON. */}}
{{- define "service.kafkaFiles" -}}
{{- concat (list "ca.crt") (ternary (list "tls.crt" "tls.key") list .values.global.kafka.tls.clientCertificate) | toJson -}}
{{- end -}}

{{/* The keys of the secret of sasl, as JSON. */}}
{{- define "service.kafkaUser" -}}
{{- concat (ternary list (list "username") (not (empty .values.global.kafka.sasl.username))) (list "password") | toJson -}}
{{- end -}}

{{/* What cannot work together. */}}
{{- define "service.kafkaChecks" -}}
{{- $kafka := .values.global.kafka -}}{{- $tls := $kafka.tls -}}{{- $sasl := $kafka.sasl -}}
{{- if and (or $tls.existingSecret $tls.clientCertificate) (not $tls.enabled) -}}
{{- fail "\n\nglobal.kafka.tls.enabled is false, and its existingSecret or clientCertificate is set: set it to true" -}}
{{- end -}}
{{- if and $tls.clientCertificate (not $tls.existingSecret) -}}
{{- fail "\n\nglobal.kafka.tls.existingSecret is not set: the secret that has ca.crt, and tls.crt and tls.key for clientCertificate" -}}
{{- end -}}
{{- if and (or $sasl.existingSecret $sasl.username) (not $sasl.mechanism) -}}
{{- fail "\n\nglobal.kafka.sasl.mechanism is not set, and a user is: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN" -}}
{{- end -}}
{{- if and $sasl.mechanism (not $sasl.existingSecret) -}}
{{- fail (printf "\n\nglobal.kafka.sasl.existingSecret is not set: the secret of the brokers' user\n  kubectl -n %s create secret generic rossio-kafka --from-literal=username=... --from-literal=password=..." .root.Release.Namespace) -}}
{{- end -}}
{{- if and $sasl.mechanism (not $tls.enabled) (not $sasl.withoutTls) -}}
{{- fail "\n\nglobal.kafka.sasl sends a password: set global.kafka.tls.enabled, or global.kafka.sasl.withoutTls where nobody else hears the network" -}}
{{- end -}}
{{- if and .values.global.dev (or $tls.enabled $sasl.mechanism) -}}
{{- fail "\n\nglobal.kafka.tls and global.kafka.sasl are for brokers of your own: the one for development has neither" -}}
{{- end -}}
{{- if eq $kafka.source "operator" -}}
{{- if or $tls.clientCertificate (not (has $sasl.mechanism (list "" "SCRAM-SHA-512"))) -}}
{{- fail "\n\nglobal.kafka.source operator makes a user of SCRAM-SHA-512: set global.kafka.sasl.mechanism to that, or to nothing, and no tls.clientCertificate" -}}
{{- end -}}
{{- if and $sasl.mechanism (ne $sasl.username $sasl.existingSecret) -}}
{{- fail "\n\nglobal.kafka.sasl.username and existingSecret are one name with source operator: Strimzi writes the secret of a user under the user's name" -}}
{{- end -}}
{{- end -}}
{{- end -}}
