cimport cython

from ninth.loop.handles cimport Handle

cdef class Source:
    cdef public int interest
    cdef object __weakref__
    cpdef bint on_events(self, int mask) except *
    cpdef str describe(self)
    cpdef flush(self)

cdef class Watch:
    cdef public int fd
    cdef public int armed
    cdef public long born
    cdef public bint always
    cdef public Handle reader
    cdef public Handle writer
    cdef public Source stream
    cdef public list waiters
    cdef public list others
    cdef public object file
    @cython.locals(mask=int, waiter=Source)
    cpdef int wanted(self)
