"""The parts that the composition root hands to the rooms: a plain value, so that no room looks anything up."""

from dataclasses import dataclass

from jinja2 import Environment

from services.audit.index.follow import Follower
from services.audit.index.reconcile import Reconciler
from services.audit.index.tail import Tail
from services.audit.ingestion.said import Ingesting
from services.audit.scrub.jobs import Scrubbing
from shared.access.grants import GrantVerifier
from shared.blobs import BlobStore
from shared.work import Door


@dataclass(frozen=True)
class Tools:
    door: Door
    blobs: BlobStore
    ingest: Ingesting
    follower: Follower
    tail: Tail
    grants: GrantVerifier
    reconciler: Reconciler
    scrubbing: Scrubbing
    pages: Environment
