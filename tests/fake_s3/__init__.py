"""An S3 endpoint on loopback that is as strict as S3 and lies on command.

Only for what a real server cannot be made to show: every fault is scripted per request. The bytes
are written by hand onto the socket, because frameworks refuse to lie about HTTP.
"""

from .faults import Fault
from .server import FakeS3
from .store import Generated, Store, tree_store

__all__ = ["FakeS3", "Fault", "Generated", "Store", "tree_store"]
