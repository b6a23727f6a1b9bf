cimport cython

from ninth.loop.core cimport Core
from ninth.loop.watch cimport Source, Watch

cdef object Future
cdef object STEADY

cdef class DirectTable:
    cdef public Core core
    cdef dict __dict__
    cpdef add(self, object watcher)
    cpdef remove(self, object watcher)

@cython.locals(watch=Watch, dropped=bint, known=bint, again=bint)
cdef add(Core core, Source watcher, int fd, object file)
@cython.locals(watch=Watch)
cdef remove(Core core, Source watcher, int fd)
cdef bint drop_closed(Watch watch) except *
cdef bint note_file(Watch watch, object file) except *

cdef class DirectWait(Source):
    cdef public Core core
    cdef public object loop
    cdef public object file
    cdef public int fd
    cdef public object future
    cdef public object steps
    cdef public object error
    cpdef bint on_events(self, int mask) except *
