# dsar: answers people's requests. The same file serves the local platform and a cluster.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/encrypt/kept-dsar" { capabilities = ["update"] }
path "transit/decrypt/kept-dsar" { capabilities = ["update"] }
path "transit/rewrap/kept-dsar" { capabilities = ["update"] }
path "transit/keys/kept-dsar" { capabilities = ["read"] }

# What it may sign. The private keys never leave.
path "transit/sign/kept-dsar-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# Its own secrets: database and broker passwords, blind index keys.
path "kept/data/dsar/*" { capabilities = ["read"] }
