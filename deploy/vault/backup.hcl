# backup: keeps and drills the backups. The same file serves the local platform and a cluster.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/encrypt/kept-backup" { capabilities = ["update"] }
path "transit/decrypt/kept-backup" { capabilities = ["update"] }
path "transit/rewrap/kept-backup" { capabilities = ["update"] }
path "transit/keys/kept-backup" { capabilities = ["read"] }

# What it may sign. The private keys never leave.
path "transit/sign/kept-backup-notes" { capabilities = ["update"] }

# Its own secrets: database and broker passwords, blind index keys.
path "kept/data/backup/*" { capabilities = ["read"] }
