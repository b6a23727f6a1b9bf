cimport cython

from ninth.loop.core cimport Core
from ninth.loop.watch cimport Source, Watch

cdef object running_loop
cdef long MOST_DESCRIPTORS
cdef object STEADY

cdef class DirectTable:
    cdef public Core core
    cdef dict __dict__
    cdef object __weakref__
    cpdef add(self, object watcher)
    cpdef remove(self, object watcher)

@cython.locals(watch=Watch, dropped=bint, known=bint, again=bint)
cdef add(Core core, Source watcher, int fd, object file)
@cython.locals(watch=Watch)
cdef remove(Core core, Source watcher, int fd)
cdef bint drop_closed(Watch watch) except *
cdef bint note_file(Watch watch, object file) except *

cdef int number_of(object file) except -2

@cython.freelist(16)
cdef class FileCondition:
    cdef public object _subject
    cdef public int _interest
    cdef public object _function
    cdef object __weakref__

cdef class DirectWait(Source):
    cdef public bint _asyncio_future_blocking
    cdef public bint begun
    cdef public bint over
    cdef public Core core
    cdef public object loop
    cdef public object file
    cdef public int fd
    cdef public object callback
    cdef public object context
    cdef public object error
    cpdef wake(self)
    cpdef bint on_events(self, int mask) except *
    cpdef bint is_open(self) except *
