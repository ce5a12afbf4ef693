"""Certificates of erasure: signed notes that carry their own evidence."""
