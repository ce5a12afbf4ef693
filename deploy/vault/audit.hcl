# audit: keeps the log. The same file serves the local platform and a cluster.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/encrypt/kept-audit" { capabilities = ["update"] }
path "transit/decrypt/kept-audit" { capabilities = ["update"] }
path "transit/rewrap/kept-audit" { capabilities = ["update"] }
path "transit/keys/kept-audit" { capabilities = ["read"] }

# What it may sign. The private keys never leave.
path "transit/sign/kept-log" { capabilities = ["update"] }
path "transit/sign/kept-audit-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# Its own secrets: database and broker passwords, blind index keys.
path "kept/data/audit/*" { capabilities = ["read"] }
