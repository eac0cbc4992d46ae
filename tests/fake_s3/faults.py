"""What goes wrong, and when: each fault matches requests and says one lie."""

import dataclasses
import re


@dataclasses.dataclass
class Fault:
    """Applies to requests of `kind` whose key matches `key` (a regular expression, or None: any).

    The first `after` matching requests are served honestly, the next `times` are not (None: all).
    Exactly one lie is set.
    """

    kind: str = "get"  # get, head, list, restore, any
    key: str = None
    after: int = 0
    times: int = 1
    # Lies about the answer as a whole
    status: int = None
    code: str = "InternalError"
    message: str = "We encountered an internal error. Please try again."
    headers: dict = dataclasses.field(default_factory=dict)
    extra: dict = dataclasses.field(default_factory=dict)  # elements of the <Error>
    error_in_200: str = None  # this error code in the body of a 200
    close_first: bool = False  # no status line at all
    lose_answer: bool = False  # of a put that is done
    # Lies about the body; n is a position in it
    truncate_at: int = None
    reset_at: int = None
    stall_at: int = None
    stall_s: float = 3600
    trickle: int = None  # bytes per second
    flip_at: int = None  # bit 0 of this byte of the object
    ignore_range: bool = False
    wrong_range: bool = False
    content_length: object = None  # a text to send instead, "" for none, "twice"
    chunked: bool = False
    etag: str = None  # this ETag in the answer
    # Lies about listings
    repeat_token: bool = False
    endless: bool = False
    empty_pages: bool = False
    list_body: bytes = None
    # Does something first: called with (server, request)
    act: object = None

    seen: int = 0
    used: int = 0

    def takes(self, request):
        if self.kind not in ("any", request.kind):
            return False
        if self.key is not None and not re.search(self.key, request.key):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.used >= self.times):
            return False
        self.used += 1
        return True
