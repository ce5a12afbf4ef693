"""What a released version wrote, kept so small that it is read without its servers (vectors.tar.xz, made by make_vectors.py).

| in it | what |
|---|---|
| `log/` | the log as it stood: newest checkpoints, tiles and entries, and in these every event, to the byte |
| `store/` | of backup's store the set's label and manifest, and the erasures since; its content is installation/set.tar.xz |
| `certificate` | of the one erasure that was done |
| `keys.json` | in the form of `Keys` |

All of it is made up, the people and the keys: the data keys that lie here in clear open nothing else.
"""

import base64
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from services.audit.log.entry import Entry, parse
from services.audit.log.paths import WIDTH
from services.audit.log.store import ShardStore
from services.audit.log.verify import shards
from services.backup.formats import layout
from shared.blobs import PosixStore
from shared.keys.cipher import DataKey
from tests.upgrade.installation import put_set

KEPT = Path(__file__).parent / "vectors.tar.xz"


@dataclass(frozen=True)
class Keys:
    """`log`, `holders`: public keys of who signed checkpoints, and notes; `set_id`, `identity`: the set, and its age identity;
    `data`: service -> whose -> [version, base64] of each data key that there was."""

    log: list[str]
    holders: list[str]
    set_id: str
    identity: str
    data: Mapping[str, Mapping[str, tuple[int, str]]]

    def written(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def key(self, service: str, whose: str) -> DataKey | None:
        """None where there was none any more."""
        found = self.data[service].get(whose)
        return None if found is None else DataKey(found[0], base64.b64decode(found[1]))


@dataclass(frozen=True)
class Vectors:
    """Unpacked at `root`; the set's parts made again, to the byte."""

    root: Path
    keys: Keys

    @classmethod
    def unpacked(cls, root: Path) -> "Vectors":
        with tarfile.open(KEPT) as archive:
            archive.extractall(root, filter="data")
        keys = Keys(**json.loads((root / "keys.json").read_text()))
        put_set(root / "store" / Path(layout.part(keys.set_id, 0)).parent)
        return cls(root, keys)

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def store(self) -> PosixStore:
        return PosixStore(self.root / "store")

    def entries(self) -> Iterator[Entry]:
        """All that the log has, shard by shard."""
        blobs = PosixStore(self.log)
        for shard in shards(blobs):
            store = ShardStore(blobs, shard)
            _, size = store.published()
            for n in range(-(-size // WIDTH)):
                yield from (parse(store.whole(one)) for one in store.entries(n, size))
