{{/* Most take a dict of `root` and `name`, a service's. A word that is not empty means yes. */}}

{{- define "kept.table" -}}
{{ .Files.Get "files/arrows.yaml" }}
{{- end }}

{{/* What an object of one service is selected by; without a name, what is of Kept. */}}
{{- define "kept.selector" -}}
app.kubernetes.io/name: kept
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "kept.labels" -}}
{{ include "kept.selector" . }}
app.kubernetes.io/part-of: kept
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* A service's values: its own over `defaults`. */}}
{{- define "kept.of" -}}
{{ mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (index .root.Values.services .name)) | toYaml }}
{{- end }}

{{/* Whether it keeps files on a disk of its own, which is one Pod's. */}}
{{- define "kept.keepsFiles" -}}
{{- $of := include "kept.of" . | fromYaml }}
{{- if and $of.files (not (hasPrefix "s3://" (toString ($of.settings.KEPT_LOG_STORE | default "")))) }}yes{{ end }}
{{- end }}

{{/* Whether there is an arrow in the table, from `name` to `to`. */}}
{{- define "kept.may" -}}
{{- range (include "kept.table" .root | fromYaml).arrows }}{{ if and (eq .from $.name) (eq .to $.to) }}yes{{ end }}{{ end }}
{{- end }}

{{/* Whether an arrow is used here: `where` of the table, in terms of values. Takes `root` and `arrow`. */}}
{{- define "kept.used" -}}
{{- $values := .root.Values }}
{{- $settings := (index $values.services .arrow.from | default dict).settings | default dict }}
{{- if eq .arrow.to "bucket" }}{{ if hasPrefix "s3://" ($settings.KEPT_LOG_STORE | default "") }}yes{{ end }}
{{- else if eq .arrow.to "witness" }}{{ if $settings.KEPT_WITNESSES }}yes{{ end }}
{{- else if eq .arrow.to "collector" }}{{ if $values.telemetry.endpoint }}yes{{ end }}
{{- else if eq .arrow.from "prometheus" }}{{ if or $values.metrics.serviceMonitor $values.network.prometheus.peers }}yes{{ end }}
{{- else }}yes{{ end }}
{{- end }}

{{/* The files of who vouches for whom: part -> its Secret, for those of `name`. */}}
{{- define "kept.roots" -}}
{{- $roots := dict "kafka" .root.Values.kafka.caSecret "vault" .root.Values.vault.caSecret }}
{{- if include "kept.may" (dict "root" .root "name" .name "to" "mail") }}{{ $_ := set $roots "mail" .root.Values.mail.caSecret }}{{ end }}
{{- range $part, $secret := $roots }}{{ if $secret.name }}
{{ $part }}: {{ toJson $secret }}
{{- end }}{{ end }}
{{- end }}

{{/* What a service is told, as text: what this chart says, and its settings. A list is JSON. */}}
{{- define "kept.environment" -}}
{{- $values := .root.Values }}
{{- $of := include "kept.of" . | fromYaml }}
{{- $roots := include "kept.roots" . | fromYaml }}
{{- $env := dict
  "KEPT_SERVICE" .name
  "KEPT_HTTP_HOST" "0.0.0.0"
  "KEPT_HTTP_PORT" "8000"
  "KEPT_DRAIN_SECONDS" $of.drainSeconds
  "KEPT_PUBLIC_ORIGIN" $values.publicOrigin
  "KEPT_ORIGINS" $values.origins
  "KEPT_TRUSTED_PROXIES" $values.trustedProxies
  "KEPT_DATABASE_HOST" $values.postgres.host
  "KEPT_DATABASE_PORT" $values.postgres.port
  "KEPT_KAFKA_BOOTSTRAP" $values.kafka.bootstrap
  "KEPT_KAFKA_SECURITY" $values.kafka.security
  "KEPT_VAULT_ADDR" $values.vault.address
  "KEPT_VAULT_AUTH" $values.vault.auth
  "KEPT_VAULT_AUTH_MOUNT" $values.vault.mount
  "KEPT_VAULT_TOKEN_FILE" "/var/run/secrets/kept/vault-token"
  "KEPT_JWKS_URL" (printf "http://%s-identity:8000/.well-known/jwks.json" .root.Release.Name)
  "OTEL_EXPORTER_OTLP_ENDPOINT" $values.telemetry.endpoint
}}
{{- $_ := set $env "KEPT_HOSTS" (list (printf "%s-%s:8000" .root.Release.Name .name)) }}
{{- if include "kept.may" (dict "root" .root "name" .name "to" "audit") }}
{{- $_ := set $env "KEPT_LOG_URL" (printf "http://%s-audit:8000" .root.Release.Name) }}
{{- end }}
{{- if $of.files }}{{ $_ := set $env "KEPT_STATE_DIR" "/var/lib/kept" }}{{ end }}
{{- if include "kept.may" (dict "root" .root "name" .name "to" "mail") }}
{{- $_ := set $env "KEPT_SMTP_HOST" $values.mail.host }}
{{- $_ := set $env "KEPT_SMTP_PORT" $values.mail.port }}
{{- $_ := set $env "KEPT_SMTP_TLS" $values.mail.tls }}
{{- $_ := set $env "KEPT_SMTP_USER" $values.mail.user }}
{{- end }}
{{- range $part, $name := dict "kafka" "KEPT_KAFKA_CA_FILE" "vault" "VAULT_CACERT" "mail" "KEPT_SMTP_CA_FILE" }}
{{- if hasKey $roots $part }}{{ $_ := set $env $name (printf "/etc/kept/%s/ca.crt" $part) }}{{ end }}
{{- end }}
{{- range $name, $value := mergeOverwrite (dict) $env $values.settings $of.settings }}
{{- if ne (toString $value) "" }}
{{ $name }}: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* What must be said, or does not go together: all of it at once. */}}
{{- define "kept.validated" -}}
{{- $values := .Values }}
{{- $wrong := list }}
{{- range $said, $value := dict
  "images.service: the image of deploy/images/Dockerfile's target `service`" $values.images.service
  "images.backup: the image of its target `backup`" $values.images.backup
  "publicOrigin: under which people reach all of it, such as https://kept.example.org" $values.publicOrigin
  "settings.KEPT_LOG_NAME: your log's name, such as kept.example.org/log; it can never be changed" $values.settings.KEPT_LOG_NAME
  "settings.KEPT_CONTROLLER: who answers for the data" $values.settings.KEPT_CONTROLLER
  "settings.KEPT_CONTACT: where a person reaches a human" $values.settings.KEPT_CONTACT
  "postgres.host: where PostgreSQL is" $values.postgres.host
  "kafka.bootstrap: host:port of a broker's listener with SCRAM-SHA-512" $values.kafka.bootstrap
  "vault.address: where Vault or OpenBao is, such as https://openbao.openbao.svc:8200" $values.vault.address
  "mail.host: where the mail server is" $values.mail.host
}}{{ if not $value }}{{ $wrong = append $wrong $said }}{{ end }}{{ end }}
{{- if and (or $values.ingress.enabled $values.httpRoute.enabled) (not $values.trustedProxies) }}
{{- $wrong = append $wrong "trustedProxies: the networks of the proxy's Pods; without it all people are one source to the limits" }}
{{- end }}
{{- if and $values.ingress.enabled (hasPrefix "https:" $values.publicOrigin) (not $values.ingress.tlsSecret) }}
{{- $wrong = append $wrong "ingress.tlsSecret: the Secret with the certificate of publicOrigin" }}
{{- end }}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) }}
{{- $wrong = append $wrong "httpRoute.parentRefs: your Gateway" }}
{{- end }}
{{- range $name := (include "kept.table" . | fromYaml).services }}
{{- $of := include "kept.of" (dict "root" $ "name" $name) | fromYaml }}
{{- if and (include "kept.keepsFiles" (dict "root" $ "name" $name)) (or $of.autoscaling.enabled (gt (int $of.replicas) 1)) }}
{{- $bucket := ternary ", or services.audit.settings.KEPT_LOG_STORE to a bucket" "" (eq $name "audit") }}
{{- $wrong = append $wrong (printf "services.%s: its files lie on a disk, which is one Pod's: set replicas to 1 and autoscaling.enabled to false%s" $name $bucket) }}
{{- end }}
{{- end }}
{{- if $values.network.enabled }}
{{- range $party, $_ := include "kept.parties" . | fromYaml }}
{{- if not (index $values.network $party).peers }}
{{- $wrong = append $wrong (printf "network.%s.peers: where it is; or network.enabled: false, and NetworkPolicies of your own" $party) }}
{{- end }}
{{- end }}
{{- end }}
{{- if gt (len .Release.Name) 40 }}{{ $wrong = append $wrong "the release's name: 40 characters at most" }}{{ end }}
{{- if $wrong }}{{ fail (printf "\n\nThis must be set:\n  %s\n" (join "\n  " (uniq $wrong))) }}{{ end }}
{{- end }}

{{/* The parties at the other end of an arrow that is used here, which are no service of ours. */}}
{{- define "kept.parties" -}}
{{- $table := include "kept.table" . | fromYaml }}
{{- range $table.arrows }}{{ if include "kept.used" (dict "root" $ "arrow" .) }}
{{- range list .from .to }}{{ if not (has . $table.services) }}
{{ . }}: yes
{{- end }}{{ end }}{{ end }}{{ end }}
{{- end }}

{{/* Where a party is. An empty list would be everybody: `kept.validated` has refused that, and this does again. */}}
{{- define "kept.peers" -}}
{{- if has .party (include "kept.table" .root | fromYaml).services -}}
- podSelector:
    matchLabels: {{- include "kept.selector" (dict "root" .root "name" .party) | nindent 6 }}
{{- else -}}
{{ required (printf "network.%s.peers" .party) (index .root.Values.network .party).peers | toYaml }}
{{- end }}
{{- end }}
