cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF

cdef class Outgoing:
    cdef public object file
    cdef public int fd
    cdef public bint writes
    cdef public bint direct
    cdef public bint socket
    cdef public object unsent
    cdef public object writer
    cdef public object error
    cdef public bint ended
    cdef public bint closed
    cdef object __weakref__
    cpdef check(self, str method)
    cpdef bint is_free(self) except *
    @cython.locals(sent=Py_ssize_t)
    cpdef Py_ssize_t write_now(self, bytes data) except -1

cdef class DirectWrite:
    cdef public Outgoing outgoing
    cdef public object stream
    cdef public object data
    cdef public bint begun
    cdef public object rest
    cdef object __weakref__
    @cython.locals(outgoing=Outgoing, sent=Py_ssize_t, free=bint)
    cpdef object step(self)

@cython.locals(write=DirectWrite)
cpdef DirectWrite new_write(Outgoing outgoing, object stream, object data)

cdef extern from "Python.h":
    ctypedef PyObject *(*iternextfunc)(PyObject *)
    ctypedef struct PyTypeObject:
        iternextfunc tp_iternext
    void type_modified "PyType_Modified" (object kind) noexcept

cdef inline PyObject *next_step(PyObject *write) except NULL:
    """Do what __next__() does; the end is told without an exception."""
    step = (<DirectWrite>write).step()
    if <PyObject *>step == write:
        return NULL
    Py_INCREF(step)
    return <PyObject *>step

cdef inline void iterate_by_slot(object kind) noexcept:
    """Have a class iterate by next_step()."""
    (<PyTypeObject *>kind).tp_iternext = <iternextfunc>next_step
    type_modified(kind)
