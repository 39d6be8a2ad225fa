"""What the watches last said, and how a manifest is read."""

from trivium.store.manifest import (
    FINAL_CONDITIONS,
    JOB_KINDS,
    PROFILE_KIND,
    WATCHED_KINDS,
    controller_uid,
    is_final,
    key_of,
    uid_of,
    upstream_of,
)
from trivium.store.store import Store

__all__ = [
    "FINAL_CONDITIONS",
    "JOB_KINDS",
    "PROFILE_KIND",
    "WATCHED_KINDS",
    "Store",
    "controller_uid",
    "is_final",
    "key_of",
    "uid_of",
    "upstream_of",
]
