# identity: signs people in. The same file serves the local platform and a cluster.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/encrypt/kept-identity" { capabilities = ["update"] }
path "transit/decrypt/kept-identity" { capabilities = ["update"] }
path "transit/rewrap/kept-identity" { capabilities = ["update"] }
path "transit/keys/kept-identity" { capabilities = ["read"] }

# What it may sign. The private keys never leave.
path "transit/sign/kept-tokens" { capabilities = ["update"] }
path "transit/sign/kept-identity-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# Its own secrets: database and broker passwords, blind index keys.
path "kept/data/identity/*" { capabilities = ["read"] }

# Where a new member of staff's first credentials are left (and only left: identity can't read them back).
path "kept/data/demo/*" { capabilities = ["create", "update"] }
