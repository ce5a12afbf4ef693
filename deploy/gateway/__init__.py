"""The gateway: HAProxy in front of everything, configured from one page. deploy/local runs it, deploy/compose/haproxy.cfg is
the same page for containers."""
