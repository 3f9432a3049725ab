"""Frames: a length as a varint in its shortest form, and that many bytes of an envelope."""

from proto import put_varint

# Frames from the server may be larger than Limits.frame_bytes by the size of their header.
MOST_BYTES = 1 << 20


class BadFrame(ValueError):
    """`bad_frame` or `frame_too_large`; the connection can't go on."""


def frame(envelope):
    return put_varint(len(envelope)) + envelope


class Frames:
    """Takes bytes in any pieces, gives whole envelopes."""

    def __init__(self, most_bytes=MOST_BYTES):
        self.most_bytes = most_bytes
        self.waiting = bytearray()

    def feed(self, data):
        self.waiting += data
        while (envelope := self.next()) is not None:
            yield envelope

    def next(self):
        length = 0
        for index, byte in enumerate(self.waiting[:5]):
            length |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                break
        else:
            if len(self.waiting) >= 5:
                raise BadFrame("bad_frame")
            return None
        # The last group of a longer form than needed is zero; so is a length of zero.
        if byte == 0:
            raise BadFrame("bad_frame")
        if length > self.most_bytes:
            raise BadFrame("frame_too_large")
        begin, end = index + 1, index + 1 + length
        if len(self.waiting) < end:
            return None
        envelope = bytes(self.waiting[begin:end])
        del self.waiting[:end]
        return envelope
