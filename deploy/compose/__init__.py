"""Setting up the containers of docker-compose.yml, once."""
