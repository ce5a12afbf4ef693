"""What others need to trust a token: roles, reporting lines, signatures, published keys."""
