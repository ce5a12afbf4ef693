# billing: another team's service: a holder and a publisher, with nothing of ours. The same file serves the local platform and a cluster.

# What it may sign. The private keys never leave.
path "transit/sign/kept-billing-notes" { capabilities = ["update"] }

# Locators: it may compute them for identifiers that it knows already.
path "transit/hmac/kept-locator" { capabilities = ["update"] }

# Its own secrets: database and broker passwords, blind index keys.
path "kept/data/billing/*" { capabilities = ["read"] }
