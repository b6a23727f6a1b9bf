cimport cython

from ninth.loop.core cimport Core
from ninth.loop.watch cimport Source, Watch

cdef Py_ssize_t SEND_AT_ONCE
cdef Py_ssize_t MOST_READ
cdef Py_ssize_t LARGE_FROM
cdef Py_ssize_t MOST_PIECES
cdef int WARN_AFTER

# One buffer for all reads of the program: the interpreter's lock guards it.
cdef char common[65536]

cdef class Stream(Source):
    cdef public Core loop
    cdef public object sock
    cdef public int fd
    cdef public object transport
    cdef public object on_lost
    cdef public object log
    cdef public object context
    cdef public Watch watch
    cdef public object protocol
    cdef public object receive
    cdef public bint buffered
    cdef public bint large
    cdef public list chunks
    cdef public Py_ssize_t unsent
    cdef public bint queued
    cdef public bint blocked
    cdef public bint started
    cdef public bint paused
    cdef public bint ended
    cdef public bint closing
    cdef public bint eof_written
    cdef public bint protocol_paused
    cdef public int lost
    cdef public Py_ssize_t high
    cdef public Py_ssize_t low
    cdef public Py_ssize_t at_once
    cdef public object drained

    cpdef set_protocol(self, object protocol, bint buffered)
    cpdef start(self)
    cpdef read_on(self)
    cpdef read_off(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef bint is_closing(self)
    cpdef bint is_reading(self)
    cpdef bint on_events(self, int mask) except *
    cpdef str describe(self)
    cpdef read_ready(self)
    @cython.locals(data=bytes)
    cpdef bytes take_in(self)
    cpdef int take_in_to(self, object buffer) except -1
    @cython.locals(sent=Py_ssize_t)
    cdef Py_ssize_t c_put_out(self, const char *data, Py_ssize_t size) except -1
    cpdef Py_ssize_t put_out(self, object data) except -1
    cpdef Py_ssize_t put_out_many(self, list pieces) except -1
    cpdef read_into_protocol(self)
    cpdef delivery_failed(self, object error, str message)
    cpdef read_end(self)
    @cython.locals(size=Py_ssize_t)
    cpdef write(self, object data)
    cpdef bytes own(self, object data)
    cpdef write_to_lost(self, object data)
    cpdef writelines(self, object pieces)
    cpdef flush(self)
    cpdef wait_to_write(self)
    cpdef write_ready(self)
    cpdef unblock(self)
    @cython.locals(sent=Py_ssize_t, chunks=list)
    cpdef send(self)
    @cython.locals(gone=Py_ssize_t)
    cpdef take(self, Py_ssize_t sent)
    cpdef send_failed(self, object error)
    cpdef emptied(self)
    cpdef drop_unsent(self)
    cpdef write_eof(self)
    cpdef shut_down_writing(self)
    cpdef set_limits(self, Py_ssize_t low, Py_ssize_t high)
    cpdef pause_protocol(self)
    cpdef resume_protocol(self)
    cpdef close(self)
    cpdef abort(self)
    cpdef try_to_send(self)
    cpdef fail(self, object error, str message)
    cpdef report(self, object error, str message)
    cpdef force_close(self, object error)
    cpdef lose(self, object error)
    cpdef unregister(self)
    cpdef finish(self, object error)
    cpdef release(self)

cdef raise_errno()
