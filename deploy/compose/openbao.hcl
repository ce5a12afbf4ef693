ui            = false
disable_mlock = true
storage "file" { path = "/openbao/file" }
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true # inside one compose network; deploy/helm brings TLS
}
