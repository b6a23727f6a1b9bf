cimport cython

cdef class Held:
    cdef public bytes data
    cdef public Py_ssize_t start
    cpdef Py_ssize_t size(self)
    cpdef put(self, bytes data)
    cpdef put_back(self, bytes data)
    @cython.locals(size=Py_ssize_t, end=Py_ssize_t, data=bytes)
    cpdef bytes take(self, Py_ssize_t count)
    cpdef bytes take_all(self)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t)
    cpdef take_line(self, Py_ssize_t limit)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, most=Py_ssize_t)
    cpdef take_until(self, bytes separator, Py_ssize_t limit, Py_ssize_t searched)
