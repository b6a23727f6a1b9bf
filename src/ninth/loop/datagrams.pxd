cimport cython

from ninth.loop.core cimport Core
from ninth.loop.watch cimport Source, Watch

cdef int MOST_PACKETS
cdef int WARN_AFTER

cdef class Datagrams(Source):
    cdef public Core loop
    cdef public object sock
    cdef public int fd
    cdef public object protocol
    cdef public object transport
    cdef public object address
    cdef public bint connected
    cdef public object on_lost
    cdef public object log
    cdef public object context
    cdef public Watch watch
    cdef public object packets
    cdef public Py_ssize_t unsent
    cdef public Py_ssize_t high
    cdef public Py_ssize_t low
    cdef public bint protocol_paused
    cdef public bint closing
    cdef public int lost
    cdef public bint many
    cdef public long last_poll

    cpdef start(self)
    cpdef wait_for(self, int mask)
    cpdef wait_no_more(self, int mask)
    cpdef bint on_events(self, int mask) except *
    cpdef str describe(self)
    @cython.locals(left=int)
    cpdef read_ready(self)
    cpdef deliver(self, object data, object address)
    cpdef call(self, object method, object error)
    cpdef send(self, object data, object addr)
    cpdef write_ready(self)
    cpdef set_limits(self, Py_ssize_t low, Py_ssize_t high)
    cpdef pause_protocol(self)
    cpdef resume_protocol(self)
    cpdef bint is_closing(self)
    cpdef close(self)
    cpdef fail(self, object error, str message)
    cpdef report(self, object error, str message)
    cpdef force_close(self, object error)
    cpdef lose(self, object error)
    cpdef unregister(self)
    cpdef finish(self, object error)
    cpdef release(self)
