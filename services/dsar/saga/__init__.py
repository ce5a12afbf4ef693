"""One request over all holders: who was asked what, who answered, what is missing, what comes next."""
