cimport cython

from ninth.waiting.direct cimport DirectWait

# What is read goes through here, and then into an object of its exact size.
cdef char shared[65536]

cdef class DirectRead(DirectWait):
    cdef public object data
    cdef public Py_ssize_t size
    @cython.locals(data=object)
    cpdef bint on_events(self, int mask) except *

@cython.locals(sent=Py_ssize_t)
cpdef Py_ssize_t write_now(int fd, bytes data) except -1
