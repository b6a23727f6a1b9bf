cimport cython

from ninth.loop.handles cimport Handle

cdef class Timer(Handle):
    cdef public double _when
    cdef public bint _scheduled
    cdef public Timers _timers
    cdef public long order
    cpdef cancel(self)
    cpdef list describe(self)

cdef class Timers:
    cdef public list heap
    cdef public Py_ssize_t dead
    cdef public long order
    cpdef push(self, Timer timer)
    cpdef double next_when(self)
    cpdef Timer pop_due(self, double now)
    cpdef forget(self, Timer timer)
    cpdef clear(self)
    cpdef list timers(self)
    cpdef Timer first(self)
    @cython.locals(timer=Timer)
    cpdef pop(self)
    @cython.locals(timer=Timer, index=Py_ssize_t)
    cpdef sweep(self)
    @cython.locals(heap=list, timer=Timer, parent=Timer, up=Py_ssize_t)
    cpdef sift_up(self, Py_ssize_t index)
    @cython.locals(heap=list, timer=Timer, child=Timer, other=Timer, parent=Timer, size=Py_ssize_t,
                   down=Py_ssize_t, up=Py_ssize_t, top=Py_ssize_t)
    cpdef sift_down(self, Py_ssize_t index)

cdef bint earlier(Timer one, Timer other) noexcept
@cython.locals(timer=Timer)
cdef Timer new_timer(double when, object callback, tuple args, object loop, object context)
