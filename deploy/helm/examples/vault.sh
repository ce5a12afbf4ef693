#!/bin/sh
# Written by `make arrows`: change deploy/arrows/arrows.toml or deploy/helm/operators.py, not this.
# What Kept needs in OpenBao; in Vault, with `vault` in the place of `bao`. Run it once, in the repository, as who may write
# policies there, and with a kubectl that may make Secrets where the stores are. Parts 1 to 3 were run on OpenBao 2.7.2,
# outside a cluster; part 4 was not.
set -eu

# 1. Engines, and how a service shows who it is.
bao secrets enable transit
bao secrets enable -path=kept -version=2 kv
bao auth enable kubernetes
# From a Pod of the cluster; elsewhere it wants kubernetes_ca_cert and token_reviewer_jwt too.
bao write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc

# 2. Keys.
bao write transit/keys/kept-identity type=aes256-gcm96
bao write transit/keys/kept-customers type=aes256-gcm96
bao write transit/keys/kept-audit type=aes256-gcm96
bao write transit/keys/kept-backup type=aes256-gcm96
bao write transit/keys/kept-dsar type=aes256-gcm96
bao write transit/keys/kept-tokens type=ed25519
bao write transit/keys/kept-log type=ed25519
bao write transit/keys/kept-identity-notes type=ed25519
bao write transit/keys/kept-customers-notes type=ed25519
bao write transit/keys/kept-audit-notes type=ed25519
bao write transit/keys/kept-backup-notes type=ed25519
bao write transit/keys/kept-dsar-notes type=ed25519
bao write transit/keys/kept-locator type=hmac key_size=32
bao write transit/keys/kept-identity-blind type=hmac key_size=32
bao write transit/keys/kept-customers-blind type=hmac key_size=32
bao write transit/keys/kept-dsar-blind type=hmac key_size=32
bao write transit/keys/kept-customers-forgotten type=hmac key_size=32

# 3. Who may what, and who that is: a ServiceAccount of the release `kept` in namespace `kept`. `rotation` is for
#    whoever runs `kept keys rotate`.
bao policy write identity deploy/vault/identity.hcl
bao policy write customers deploy/vault/customers.hcl
bao policy write audit deploy/vault/audit.hcl
bao policy write backup deploy/vault/backup.hcl
bao policy write dsar deploy/vault/dsar.hcl
bao policy write public-keys deploy/vault/public-keys.hcl
bao policy write rotation deploy/vault/rotation.hcl
bao write auth/kubernetes/role/identity audience=vault \
  bound_service_account_names=kept-identity bound_service_account_namespaces=kept \
  token_policies=identity,public-keys token_ttl=1200 token_max_ttl=86400
bao write auth/kubernetes/role/customers audience=vault \
  bound_service_account_names=kept-customers bound_service_account_namespaces=kept \
  token_policies=customers,public-keys token_ttl=1200 token_max_ttl=86400
bao write auth/kubernetes/role/audit audience=vault \
  bound_service_account_names=kept-audit bound_service_account_namespaces=kept \
  token_policies=audit,public-keys token_ttl=1200 token_max_ttl=86400
bao write auth/kubernetes/role/backup audience=vault \
  bound_service_account_names=kept-backup bound_service_account_namespaces=kept \
  token_policies=backup,public-keys token_ttl=1200 token_max_ttl=86400
bao write auth/kubernetes/role/dsar audience=vault \
  bound_service_account_names=kept-dsar bound_service_account_namespaces=kept \
  token_policies=dsar,public-keys token_ttl=1200 token_max_ttl=86400

# 4. Passwords, drawn once: into Vault for the service, and as a Secret for the store's operator. `-cas=0`: never over another.
drawn() { head -c 32 /dev/urandom | base64 | tr -d '+/=\n'; }
for service in identity customers audit backup dsar; do
  password=$(drawn)
  printf %s "$password" | bao kv put -cas=0 -mount=kept "$service/database" password=-
  printf %s "$password" | kubectl --namespace postgres create secret generic "kept-db-$service" \
    --type=kubernetes.io/basic-auth --from-literal=username="$service" --from-file=password=/dev/stdin
  password=$(drawn)
  printf %s "$password" | bao kv put -cas=0 -mount=kept "$service/kafka" password=-
  printf %s "$password" | kubectl --namespace kafka create secret generic "kept-kafka-$service" --from-file=password=/dev/stdin
done

# 5. By hand, as you have them: the mail server's password (customers/smtp and dsar/smtp: password) and the keys of the log's
#    bucket (audit/s3: access_key, secret_key).
