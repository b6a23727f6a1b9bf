cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF

from ninth.loop.core cimport Core
from ninth.loop.watch cimport Source, Watch

cdef object running_loop
cdef tuple OVER
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

cdef class DirectSource(Source):
    cdef public Core core
    cdef public object file
    cdef public int fd
    cpdef bint is_open(self) except *

cdef class DirectWait(DirectSource):
    cdef public object _asyncio_future_blocking
    cdef public bint begun
    cdef public bint over
    cdef public object loop
    cdef public object callback
    cdef public object context
    cdef public object error
    cpdef bint advance(self) except *
    cpdef object value(self)
    cpdef wake(self)
    cpdef bint on_events(self, int mask) except *

@cython.locals(wait=DirectWait)
cdef DirectWait new_wait(Core core, object loop, object file, int fd, int interest)

cdef extern from *:
    """
    /* StopIteration with a value, without a traceback. For bytes mostly without a new object: who
       fetches the value lets the exception go at once. It keeps the last value alive, which of
       bytes nobody can see. */
    static PyObject *spare_stop = NULL;
    static void stop_with(PyObject *value) {
    #if PY_VERSION_HEX >= 0x030C0000
        if (!PyBytes_CheckExact(value)) {
            PyErr_SetObject(PyExc_StopIteration, value);
            return;
        }
        if (spare_stop == NULL) spare_stop = PyObject_CallNoArgs(PyExc_StopIteration);
        if (spare_stop != NULL && Py_REFCNT(spare_stop) == 1) {
            PyStopIterationObject *stop = (PyStopIterationObject *)spare_stop;
            Py_INCREF(value);
            Py_XSETREF(stop->value, value);
            PyErr_SetRaisedException(Py_NewRef(spare_stop));
            return;
        }
        PyErr_Clear();
    #endif
        PyErr_SetObject(PyExc_StopIteration, value);
    }
    """
    void stop_with(PyObject *value) noexcept
    void type_modified "PyType_Modified" (object kind) noexcept
    ctypedef PyObject *(*iternextfunc)(PyObject *)
    ctypedef struct PyTypeObject:
        iternextfunc tp_iternext

cdef inline PyObject *next_of(PyObject *wait) except NULL:
    """Do what __next__() does; the end is told without a traceback."""
    if (<DirectWait>wait).advance():
        Py_INCREF(<object>wait)
        return wait
    value = (<DirectWait>wait).value()
    stop_with(<PyObject *>value)
    return NULL

cdef inline void iterate_by_slot(object kind) noexcept:
    """Have a class iterate by next_of()."""
    (<PyTypeObject *>kind).tp_iternext = <iternextfunc>next_of
    type_modified(kind)
