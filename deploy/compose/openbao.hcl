ui           = false
api_addr     = "http://openbao:8200"
cluster_addr = "https://openbao:8201"
storage "raft" {
  path    = "/openbao/file"
  node_id = "one"
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true # inside one compose network; deploy/helm brings TLS
  # Administrative rights come from the unseal keys, for seconds, and from nothing that lies about.
  disable_unauthed_generate_root_endpoints = false
}
