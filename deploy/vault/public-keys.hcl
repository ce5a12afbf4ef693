# public-keys: every service and every other holder has it besides its own policy. The same file serves the local platform and a
# cluster. Whoever holds a person's data verifies what the others signed; a read of an Ed25519 key gives its public half only.
path "transit/keys/kept-tokens" { capabilities = ["read"] }
path "transit/keys/kept-log" { capabilities = ["read"] }
path "transit/keys/kept-identity-notes" { capabilities = ["read"] }
path "transit/keys/kept-customers-notes" { capabilities = ["read"] }
path "transit/keys/kept-audit-notes" { capabilities = ["read"] }
path "transit/keys/kept-backup-notes" { capabilities = ["read"] }
path "transit/keys/kept-dsar-notes" { capabilities = ["read"] }
path "transit/keys/kept-billing-notes" { capabilities = ["read"] }
