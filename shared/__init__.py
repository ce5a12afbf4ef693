"""The kernel all services share. It knows no service."""
