# platform: what starts the servers. It makes and reads the passwords of databases and broker, all services' alike: who has its
# secret id can enter every database and read every topic, where personal fields are ciphertext. It unwraps and signs nothing,
# and cannot become a service. Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this.

# Passwords of database roles and broker users, made once at the first start.
path "kept/data/+/database" { capabilities = ["create", "read", "update"] }
path "kept/data/+/kafka" { capabilities = ["create", "read", "update"] }
path "kept/data/platform/*" { capabilities = ["create", "read", "update"] }
