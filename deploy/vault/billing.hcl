# billing: another team's service: a holder and a publisher, with nothing of ours. Written by `make arrows` from
# deploy/arrows/arrows.toml: change that, not this.

# Its notes, which it may sign. The private key never leaves.
path "transit/sign/kept-billing-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/keys/kept-locator" { capabilities = ["read"] }
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# Its own secrets: the passwords of database, broker and mail server; blind index keys of before.
path "kept/data/billing/*" { capabilities = ["read"] }
