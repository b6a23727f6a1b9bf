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

# Reading without a file object in between. The lock of the interpreter is kept: a call that never
# blocks is over before another thread could have taken it.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    int _PyBytes_Resize(PyObject **data, Py_ssize_t size) except -1

cdef inline bytes read_small(int fd, char *shared, Py_ssize_t size):
    """Read through a shared buffer: bytes, empty at the end; None when there is nothing now."""
    cdef ssize_t count = c_read(fd, shared, size)
    if count < 0:
        if errno == EAGAIN or errno == EINTR:
            return None
        PyErr_SetFromErrno(OSError)
    return PyBytes_FromStringAndSize(shared, count)

cdef inline bytes receive_small(int fd, char *shared, Py_ssize_t size):
    """Do what read_small() does, for a socket."""
    cdef ssize_t count = c_recv(fd, shared, size, 0)
    if count < 0:
        if errno == EAGAIN or errno == EINTR:
            return None
        PyErr_SetFromErrno(OSError)
    return PyBytes_FromStringAndSize(shared, count)

cdef inline bytes read_large(int fd, Py_ssize_t size):
    """Read straight into the object that is returned, as read_small() otherwise."""
    cdef PyObject *data = new_bytes(NULL, size)
    cdef ssize_t count = c_read(fd, PyBytes_AS_STRING(<object>data), size)
    if count < 0:
        Py_XDECREF(data)
        if errno == EAGAIN or errno == EINTR:
            return None
        PyErr_SetFromErrno(OSError)
    if count < size:
        _PyBytes_Resize(&data, count)
    result = <object>data
    Py_XDECREF(data)
    return result
