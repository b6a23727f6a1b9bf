"""What the C library's allocator is told about the sizes that come and go here.

glibc maps every block of 128 KiB or more by itself, and gives the top of its heap back to the
system as soon as 128 KiB of it are free. A server that reads and writes in blocks of 64 to
256 KiB then spends more time on mapping, zeroing and unmapping pages than on its data. glibc
learns better when a mapped block is freed: from then on blocks up to that size come from the
heap, and the heap keeps twice as much (mallopt(3), "dynamic mmap threshold"). But a block that
was shrunk before it is freed, as every short read does, teaches it nothing, so whether a program
runs fast is a matter of its history. One large block, freed at once and never touched, decides it.

On other C libraries this is a block like any other.
"""

import functools

# Streams over 50 connections and TLS gain up to half of their CPU time; more than this gains
# nothing, and twice this is what the heap may keep.
TEACHING_SIZE = 4 * 1024 * 1024


@functools.cache
def teach() -> None:
    """Have blocks up to TEACHING_SIZE come from the heap, from the first call on."""
    block = bytes(TEACHING_SIZE)
    del block
