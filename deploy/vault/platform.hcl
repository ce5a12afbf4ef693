# platform: what starts and provisions the servers. It hands out secrets; it can decrypt and sign nothing.

# Passwords of database roles and broker users, made once at the first start.
path "kept/data/+/database" { capabilities = ["create", "read", "update"] }
path "kept/data/+/kafka" { capabilities = ["create", "read", "update"] }
path "kept/data/platform/*" { capabilities = ["create", "read", "update"] }

# A secret id for each service's AppRole, when its file is gone.
path "auth/approle/role/+/role-id" { capabilities = ["read"] }
path "auth/approle/role/+/secret-id" { capabilities = ["update"] }
