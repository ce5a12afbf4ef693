# identity: signs people in. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/keys/kept-identity" { capabilities = ["read"] }
path "transit/encrypt/kept-identity" { capabilities = ["update"] }
path "transit/decrypt/kept-identity" { capabilities = ["update"] }
path "transit/rewrap/kept-identity" { capabilities = ["update"] }

# Its notes, which it may sign. The private key never leaves.
path "transit/sign/kept-identity-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/keys/kept-locator" { capabilities = ["read"] }
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# The key of its blind indexes.
path "transit/keys/kept-identity-blind" { capabilities = ["read"] }
path "transit/hmac/kept-identity-blind" { capabilities = ["update"] }

# Its own secrets: the passwords of database, broker and mail server; blind index keys of before.
path "kept/data/identity/*" { capabilities = ["read"] }

# Tokens, which it may sign.
path "transit/sign/kept-tokens" { capabilities = ["update"] }

# Where a new member of staff's first credentials are left (and only left: identity can't read them back).
path "kept/data/demo/*" { capabilities = ["create", "update"] }
