// Other people's cosignatures, pinned: a module of its own, since what knows ML-DSA-44 needs a newer Go than the rest.
module kept/tests/foreign/witness

go 1.25.0

require (
	github.com/transparency-dev/formats v0.1.1
	golang.org/x/mod v0.36.0
)

require (
	filippo.io/mldsa v0.0.0-20260215214346-43d0283efc3e // indirect
	golang.org/x/crypto v0.52.0 // indirect
)
