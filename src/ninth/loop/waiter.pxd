cimport cython

from ninth.loop.watch cimport Source

cdef Py_ssize_t SHARED_SIZE

# One buffer for all small reads of the program: the interpreter's lock guards it.
cdef char shared[16384]

cdef class Waiter(Source):
    cdef public object future
    cpdef bint on_events(self, int mask) except *

@cython.locals(fd=int, wanted=Py_ssize_t, got=Py_ssize_t)
cpdef receive(object sock, object size)
@cython.locals(fd=int, sent=Py_ssize_t)
cpdef send(object sock, object data)
