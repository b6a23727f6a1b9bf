# The system calls of the hot path, for the compiled modules only.

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "errno.h" nogil:
    int errno
    int EAGAIN
    int EINTR

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *result)

cdef extern from "sys/socket.h" nogil:
    int MSG_NOSIGNAL
    ssize_t c_send "send"(int fd, const void *data, size_t size, int flags)
    ssize_t c_recv "recv"(int fd, void *data, size_t size, int flags)

cdef extern from "unistd.h" nogil:
    ssize_t c_read "read"(int fd, void *data, size_t size)
    ssize_t c_write "write"(int fd, const void *data, size_t size)

cdef extern from "sys/epoll.h" nogil:
    cdef enum:
        EPOLLIN
        EPOLLOUT
    ctypedef union epoll_data_t:
        int fd
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_wait(int epfd, epoll_event *events, int size, int timeout)
    int epoll_ctl(int epfd, int operation, int fd, epoll_event *event)

cdef inline double monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9

# The conditions of a file, as poller.py has them for Python.
cdef enum:
    READ = 1
    WRITE = 4
