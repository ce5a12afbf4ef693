# dsar: answers people's requests. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/keys/kept-dsar" { capabilities = ["read"] }
path "transit/encrypt/kept-dsar" { capabilities = ["update"] }
path "transit/decrypt/kept-dsar" { capabilities = ["update"] }
path "transit/rewrap/kept-dsar" { capabilities = ["update"] }

# Its notes, which it may sign. The private key never leaves.
path "transit/sign/kept-dsar-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/keys/kept-locator" { capabilities = ["read"] }
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# The key of its blind indexes.
path "transit/keys/kept-dsar-blind" { capabilities = ["read"] }
path "transit/hmac/kept-dsar-blind" { capabilities = ["update"] }

# Its own secrets: the passwords of database, broker and mail server; blind index keys of before.
path "kept/data/dsar/*" { capabilities = ["read"] }
