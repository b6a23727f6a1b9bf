cimport cython

from ninth.loop.c_system cimport epoll_event

cdef int MOST_EVENTS
cdef list NOTHING

cdef class EpollPoller:
    cdef public object epoll
    cdef public int epoll_fd
    cdef public dict interest
    cdef public int found
    cdef epoll_event buffer[256]
    cpdef bint set(self, int fd, int mask, bint again) except *
    cpdef drop(self, int fd)
    cpdef rebuild(self)
    @cython.locals(count=cython.int, milliseconds=cython.int)
    cpdef list wait(self, double timeout)
    cpdef close(self)
