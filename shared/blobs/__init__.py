"""Write-once blob stores: one contract, one suite of tests that each runs."""

from shared.blobs.open import YEARS, open_store
from shared.blobs.posix import PosixStore
from shared.blobs.store import BlobStore, CheckedStore, UnfitStoreError

__all__ = ["YEARS", "BlobStore", "CheckedStore", "PosixStore", "UnfitStoreError", "open_store"]
