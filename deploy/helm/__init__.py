"""The Helm chart `kept/`, and what an operator makes beside it (`examples/`). `make arrows` writes what comes from the table of
arrows, the gateway's routes and the services' settings: write.py."""
