"""The parts that the composition root hands to the rooms."""

from dataclasses import dataclass

from jinja2 import Environment

from services.audit.log.ingest import Ingest
from shared.blobs import BlobStore
from shared.work import Door


@dataclass(frozen=True)
class Wired:
    door: Door
    blobs: BlobStore
    ingest: Ingest
    pages: Environment
