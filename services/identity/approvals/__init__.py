"""Two people for what one must not do alone."""
