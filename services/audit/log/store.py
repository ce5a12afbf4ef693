"""Where a shard's files are, on any write-once store."""

import hashlib

from services.audit.log import bundles, paths
from services.audit.log.entry import ENTRY_BYTES_MAX, Kind, encode, large, parse
from services.audit.log.tiles import Nodes
from shared.blobs import BlobStore
from shared.errors import NotFoundError, TamperError
from shared.notes.tlogproof import checkpoint_head

SHARDS = "shards"
KEYS = "keys"
KEYS_JSON = "keys.json"  # the same, with the time from and until which each signs
Files = list[tuple[str, bytes]]  # paths from the store's root, and what is to be written there


def moves(path: str) -> bool:
    """Whether a name of the log may be replaced: the lists at the top, and checkpoints. All others are written once."""
    return "/" not in path or path.endswith(f"/{paths.CHECKPOINT}")


class ShardStore:
    """The files of one shard, `<topic>/<partition>` under the store's root."""

    def __init__(self, blobs: BlobStore, shard: str) -> None:
        self.shard = shard
        self.blobs = blobs

    def path(self, name: str) -> str:
        """Where a file of this shard is in the store."""
        return f"{self.shard}/{name}"

    def put(self, path: str, data: bytes) -> None:
        """Write a tile, bundle or large entry; the same bytes again are welcome, others are TamperError."""
        self.blobs.put_same(self.path(path), data)

    def get(self, path: str) -> bytes:
        return self.blobs.get(self.path(path))

    def fitted(self, entry: bytes, beside: Files | None = None) -> bytes:
        """The entry as it goes into a bundle: itself, or, when too long, one that names it after it was stored beside the
        log (or added to `beside`, for those who write it later)."""
        if len(entry) <= ENTRY_BYTES_MAX:
            return entry
        digest = hashlib.sha256(entry).digest()
        name = f"large/{digest.hex()}"
        if beside is None:
            self.put(name, entry)
        else:
            beside.append((self.path(name), entry))
        return encode(large(parse(entry).place, digest, len(entry)))

    def whole(self, entry: bytes) -> bytes:
        """The inverse of `fitted`. TamperError where the file beside the log is not what the entry says."""
        found = parse(entry)
        if found.kind is not Kind.LARGE:
            return entry
        name = f"large/{found.body[:32].hex()}"
        raw = self.get(name)
        if hashlib.sha256(raw).digest() != found.body[:32] or len(raw) != int.from_bytes(found.body[32:], "big"):
            raise TamperError(f"{self.shard}/{name} is not what the log says")
        return raw

    def publish(self, checkpoint: str, old: str | None = None) -> None:
        """Replace the checkpoint `old` (None: there is none yet): from now on its size is public. ConflictError where
        another one is there."""
        self.blobs.replace_if(self.path(paths.CHECKPOINT), checkpoint.encode(), None if old is None else old.encode())

    def checkpoint(self) -> str | None:
        """The published checkpoint, or None."""
        try:
            return self.get(paths.CHECKPOINT).decode()
        except NotFoundError:
            return None

    def published(self) -> tuple[str, int]:
        """The published checkpoint and its size; NotFoundError while there is none. Its signature is not checked here."""
        note = self.get(paths.CHECKPOINT).decode()
        return note, checkpoint_head(note.partition("\n\n")[0] + "\n")[1]

    def entries(self, n: int, size: int) -> list[bytes]:
        """The entries of bundle `n` in a tree of `size` leaves."""
        width = min(paths.WIDTH, size - n * paths.WIDTH)
        found = bundles.parse(self.get(paths.bundle(n, width)))
        if len(found) != width:
            raise TamperError(f"{self.shard}/{paths.bundle(n, width)} has {len(found)} entries, not {width}")
        return found

    def nodes(self, size: int) -> Nodes:
        """The tree of `size` leaves, each tile read once."""
        cache: dict[str, bytes] = {}

        def get(path: str) -> bytes:
            if path not in cache:
                cache[path] = self.get(path)
            return cache[path]

        return Nodes(get, size)
