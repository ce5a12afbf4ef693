"""Records in from files, and out to people whom two others trusted with all of them."""
