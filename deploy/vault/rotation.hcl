# rotation: who operates Kept, for `kept keys rotate`. It makes new versions of keys and takes old ones away; it can neither
# open, nor wrap, nor compute, nor sign anything. Who has it can make people unreadable, and can read nobody. Written by `make
# arrows` from deploy/arrows/arrows.toml: change that, not this.

# New versions of keys, and old ones away.
path "transit/keys/+" { capabilities = ["read"] }
path "transit/keys/+/rotate" { capabilities = ["update"] }
path "transit/keys/+/config" { capabilities = ["update"] }
path "transit/keys/+/trim" { capabilities = ["update"] }

# The marks of who was forgotten can't be made anew, as nobody has the text: their key stays as it is.
path "transit/keys/kept-customers-forgotten/+" { capabilities = ["deny"] }

# That a rotation is under way, and the versions that it began with.
path "kept/data/rotation/*" { capabilities = ["create", "read", "update"] }

# An installation of before has the first version of its blind indexes' keys in KV: it is taken away like every old version.
path "kept/metadata/+/blind" { capabilities = ["read", "delete"] }
