# demo: the made-up staff's passwords and one-time-code secrets, for `kept demo`. Not for a real installation. Written by `make
# arrows` from deploy/arrows/arrows.toml: change that, not this.

# What the made-up staff signs in with.
path "kept/data/demo/*" { capabilities = ["create", "read", "update"] }
path "kept/metadata/demo" { capabilities = ["list"] }
path "kept/metadata/demo/*" { capabilities = ["list"] }
