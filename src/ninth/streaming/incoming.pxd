cimport cython

from ninth.loop.core cimport Core
from ninth.streaming.held cimport Held
from ninth.waiting.direct cimport DirectSource, DirectWait

# What is read goes through here, and then into an object of its exact size.
cdef char shared[65536]

cdef class Incoming(DirectSource):
    cdef public bint reads
    cdef public bint direct
    cdef public bint socket
    cdef public Held held
    cdef public bint eager
    cdef public object error
    cdef public object reader
    cdef public bint claimed
    cdef public bint closed
    cdef public object loop
    cdef public bint watched
    cpdef check(self, str method)
    @cython.locals(data=bytes)
    cpdef bytes read_now(self, Py_ssize_t size)
    cpdef watch(self)
    cpdef unwatch(self)
    @cython.locals(reader=DirectRead, data=bytes)
    cpdef bint on_events(self, int mask) except *

cdef class DirectRead(DirectWait):
    cdef public Incoming incoming
    cdef public object data
    cdef public Py_ssize_t size
    cdef public bint more
    @cython.locals(incoming=Incoming, count=Py_ssize_t)
    cpdef bint advance(self) except *
    cpdef object value(self)

@cython.locals(read=DirectRead)
cpdef DirectRead new_read(Incoming incoming, Py_ssize_t size, bint more)
