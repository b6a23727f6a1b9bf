cimport cython

from ninth.loop.core cimport Core
from ninth.streaming.incoming cimport Incoming
from ninth.streaming.outgoing cimport Outgoing

cdef class Ends:
    cdef public Incoming _incoming
    cdef public Outgoing _outgoing
    cdef object __weakref__
