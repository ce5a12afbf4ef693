"""Who receives data of customers, and what."""
