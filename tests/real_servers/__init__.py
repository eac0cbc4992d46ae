"""S3 servers that this project did not write, on loopback, with their signature checks on."""

from .ministack import MiniStack
from .swift import Swift

ALL = {"ministack": MiniStack, "swift": Swift}

__all__ = ["ALL", "MiniStack", "Swift"]
