"""The parts that the composition root hands to the rooms."""

from dataclasses import dataclass

from jinja2 import Environment

from services.audit.index.follow import Follower
from services.audit.index.reconcile import Reconciler
from services.audit.index.tail import Tail
from services.audit.ingesting import Ingesting
from services.audit.scrub import Scrubbing
from shared.access.grants import GrantVerifier
from shared.blobs import BlobStore
from shared.work import Door


@dataclass(frozen=True)
class Wired:
    door: Door
    blobs: BlobStore
    ingest: Ingesting
    follower: Follower
    tail: Tail
    grants: GrantVerifier
    reconciler: Reconciler
    scrubbing: Scrubbing
    pages: Environment
