"""Write-once blob stores: one contract, one suite of tests that each store runs."""

from shared.blobs.posix import PosixStore
from shared.blobs.store import BlobStore

__all__ = ["BlobStore", "PosixStore"]
