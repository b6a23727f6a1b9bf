cimport cython

from ninth.loop.c_system cimport epoll_event

cdef int MOST_EVENTS
cdef int EPOLL_CTL_ADD
cdef int EPOLL_CTL_DEL
cdef int EPOLL_CTL_MOD
cdef list NOTHING

cdef class EpollPoller:
    cdef public object epoll
    cdef public int epoll_fd
    cdef public dict interest
    cdef public dict suspects
    cdef public unsigned int entries
    cdef epoll_event event
    cdef public int found
    cdef epoll_event buffer[256]
    @cython.locals(known=cython.int, error=cython.int)
    cpdef bint set(self, int fd, int mask, bint again) except *
    @cython.locals(error=cython.int)
    cdef int change(self, int fd, int known, int mask) except -1
    @cython.locals(tag=cython.ulonglong)
    cdef int control(self, int operation, int fd, int mask) except -1
    cpdef suspect(self, int fd)
    cpdef bint is_stale(self, int fd, int mask, unsigned int tag) except *
    cpdef drop(self, int fd)
    cpdef rebuild(self)
    @cython.locals(count=cython.int, milliseconds=cython.int)
    cpdef list wait(self, double timeout)
    cpdef close(self)
