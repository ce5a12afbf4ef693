# customers: holds customer records. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/keys/kept-customers" { capabilities = ["read"] }
path "transit/encrypt/kept-customers" { capabilities = ["update"] }
path "transit/decrypt/kept-customers" { capabilities = ["update"] }
path "transit/rewrap/kept-customers" { capabilities = ["update"] }

# Its notes, which it may sign. The private key never leaves.
path "transit/sign/kept-customers-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/keys/kept-locator" { capabilities = ["read"] }
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# The key of its blind indexes.
path "transit/keys/kept-customers-blind" { capabilities = ["read"] }
path "transit/hmac/kept-customers-blind" { capabilities = ["update"] }

# Its own secrets: the passwords of database, broker and mail server; blind index keys of before.
path "kept/data/customers/*" { capabilities = ["read"] }

# The marks of who was forgotten, by which no old file brings them back: nobody else's list, in no backup.
path "transit/hmac/kept-customers-forgotten" { capabilities = ["update"] }
