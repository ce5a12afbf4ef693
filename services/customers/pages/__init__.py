"""The pages of customers, for staff."""
