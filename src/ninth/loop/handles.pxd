cimport cython

cdef class Handle:
    cdef public object _callback
    cdef public tuple _args
    cdef public bint _cancelled
    cdef public object _context
    cdef public object _loop
    cdef public object _source_traceback
    cdef public object _repr
    cdef public object owner
    cdef object __weakref__
    cdef int call(self) except -1
    cpdef cancel(self)
    cpdef list describe(self)

@cython.locals(handle=Handle)
cdef Handle new_handle(object callback, tuple args, object loop, object context)
