cimport cython

from ninth.loop.stream cimport Stream

cdef Py_ssize_t READ_SIZE

cdef class ReadPipe(Stream):
    cpdef bytes take_in(self)
    cpdef int take_in_to(self, object buffer) except -1
    cpdef delivery_failed(self, object error, str message)
    cpdef read_end(self)
    cpdef fail(self, object error, str message)

cdef class WritePipe(Stream):
    cdef public bint watches_peer
    cdef public int ignored
    cpdef start(self)
    cpdef write(self, object data)
    cpdef read_ready(self)
    cpdef close(self)
    cpdef write_eof(self)
    @cython.locals(sent=Py_ssize_t)
    cdef Py_ssize_t c_put_out(self, const char *data, Py_ssize_t size) except -1
    cpdef Py_ssize_t put_out(self, object data) except -1
    cpdef Py_ssize_t put_out_many(self, list pieces) except -1
    cpdef write_to_lost(self, object data)
