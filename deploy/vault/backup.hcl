# backup: keeps and drills the backups. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Its own key encryption key. No decryption of anybody else's, ever.
path "transit/keys/kept-backup" { capabilities = ["read"] }
path "transit/encrypt/kept-backup" { capabilities = ["update"] }
path "transit/decrypt/kept-backup" { capabilities = ["update"] }
path "transit/rewrap/kept-backup" { capabilities = ["update"] }

# Its notes, which it may sign. The private key never leaves.
path "transit/sign/kept-backup-notes" { capabilities = ["update"] }

# Its own secrets: the passwords of database, broker and mail server; blind index keys of before.
path "kept/data/backup/*" { capabilities = ["read"] }
