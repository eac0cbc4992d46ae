"""S3 servers that this project did not write, on loopback, with their signature checks on."""

from .ministack import MiniStack
from .s3proxy import S3Proxy
from .swift import Swift

ALL = {"ministack": MiniStack, "s3proxy": S3Proxy, "swift": Swift}

__all__ = ["ALL", "MiniStack", "S3Proxy", "Swift"]
