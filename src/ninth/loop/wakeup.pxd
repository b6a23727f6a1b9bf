cimport cython

# Where what comes through the pipe is read to; nobody looks at it.
cdef char waste[4096]

cdef class WakeUp:
    cdef public int read_fd
    cdef public int write_fd
    cpdef wake(self)
    @cython.locals(got=Py_ssize_t)
    cpdef drain(self)
    cpdef close(self)
