"""snappy-java's stream, read without any code of penates: framing here, blocks by cramjam."""

import cramjam

MAGIC = b"\x82SNAPPY\0" + bytes((0, 0, 0, 1)) * 2


def blocks(stream):
    """The compressed blocks. A stream may be several, end to end."""
    assert stream.startswith(MAGIC)
    at = 0
    while at < len(stream):
        if stream.startswith(MAGIC, at):
            at += len(MAGIC)
            continue
        size = int.from_bytes(stream[at : at + 4], "big")
        at += 4 + size
        assert 0 < size and at <= len(stream), "cut inside a block"
        yield stream[at - size : at]


def decode(stream):
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks(stream))
