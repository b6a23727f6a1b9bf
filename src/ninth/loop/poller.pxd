cimport cython

from ninth.loop.c_system cimport epoll_event

cdef int MOST_EVENTS

cdef class EpollPoller:
    cdef public object epoll
    cdef public int epoll_fd
    cdef public dict interest
    cdef public int found
    cdef epoll_event buffer[256]
    cpdef bint set(self, int fd, int mask, bint again) except *
    cpdef drop(self, int fd)
    cpdef rebuild(self)
    @cython.locals(events=list, count=cython.int, milliseconds=cython.int)
    cpdef list wait(self, double timeout)
    @cython.locals(flags=cython.uint)
    cdef int mask_of(self, int index) except -1
    cpdef close(self)
