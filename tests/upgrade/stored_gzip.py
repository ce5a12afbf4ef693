"""gzip without compression, so that the same bytes in always are the same bytes out, whatever zlib there is.

The set of the kept installation was taken through this (`make.sh`), and is made again from its content by it.
"""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator

BLOCK = 65_535  # the most that one stored block holds (RFC 1951, 3.2.4)


def stored(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The gzip file of what `read(size)` gives; `read` gives less than it is asked for only at the end."""
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    check = size = 0
    while True:
        block = read(BLOCK)
        last = len(block) < BLOCK
        yield struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block
        check, size = zlib.crc32(block, check), size + len(block)
        if last:
            break
    yield struct.pack("<II", check, size & 0xFFFFFFFF)


if __name__ == "__main__":
    for piece in stored(sys.stdin.buffer.read):
        sys.stdout.buffer.write(piece)
