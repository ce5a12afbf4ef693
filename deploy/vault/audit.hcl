# audit: keeps the log. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/keys/kept-audit" { capabilities = ["read"] }
path "transit/encrypt/kept-audit" { capabilities = ["update"] }
path "transit/decrypt/kept-audit" { capabilities = ["update"] }
path "transit/rewrap/kept-audit" { capabilities = ["update"] }

# Its notes, which it may sign. The private key never leaves.
path "transit/sign/kept-audit-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/keys/kept-locator" { capabilities = ["read"] }
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# Its own secrets: the passwords of database, broker and mail server; blind index keys of before.
path "kept/data/audit/*" { capabilities = ["read"] }

# The log's checkpoints, which it may sign.
path "transit/sign/kept-log" { capabilities = ["update"] }
