"""Values as people type them, each with one grammar and one normal form: docs/formats/values.md. Pure: no I/O.

A type here is a promise: only its function makes it, and what hashes or sends a value takes nothing else.
"""
