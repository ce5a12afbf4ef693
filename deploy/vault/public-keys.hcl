# public-keys: of several, beside their own. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Whoever holds a person's data verifies what the others signed.
path "transit/keys/kept-tokens" { capabilities = ["read"] }
path "transit/keys/kept-log" { capabilities = ["read"] }
path "transit/keys/kept-identity-notes" { capabilities = ["read"] }
path "transit/keys/kept-customers-notes" { capabilities = ["read"] }
path "transit/keys/kept-audit-notes" { capabilities = ["read"] }
path "transit/keys/kept-backup-notes" { capabilities = ["read"] }
path "transit/keys/kept-dsar-notes" { capabilities = ["read"] }
path "transit/keys/kept-billing-notes" { capabilities = ["read"] }
