cimport cython

from ninth.loop.handles cimport Handle
from ninth.loop.poller cimport EpollPoller
from ninth.loop.timers cimport Timer, Timers
from ninth.loop.wakeup cimport WakeUp
from ninth.loop.watch cimport Source, Watch

cdef long TURNS_PER_POLL
cdef double SECONDS_PER_POLL
cdef double LONGEST_WAIT

cdef class Core:
    cdef public list ready
    cdef public list spare
    cdef public list table
    cdef public list unsent
    cdef public list always
    cdef public object from_threads
    cdef public object signals
    cdef public object clock
    cdef public object reorder
    cdef public object report
    cdef public Handle current
    cdef public object poller
    cdef public EpollPoller epoll
    cdef public Timers timers
    cdef public bint signalled
    cdef public bint debug
    cdef public double slow_callback_duration
    cdef public object on_slow
    cdef public tuple faces
    cdef public bint closed
    cdef public bint inherited
    cdef public object left
    cdef public bint stopping
    cdef public bint waiting
    cdef public bint woken
    cdef public unsigned long thread
    cdef public long pid
    cdef public long polls
    cdef public long turns
    cdef public double polled_at
    cdef public bint first_poll
    cdef public WakeUp wakeup
    cdef public int wakeup_fd
    cdef object __weakref__

    cdef Timer schedule(self, double when, object callback, tuple args, object context, str method)
    cpdef check(self, object callback, str method, bint same_thread)
    cpdef double time(self) except *
    @cython.locals(watch=Watch)
    cpdef Watch watch_of(self, int fd)
    cpdef Watch known(self, int fd)
    @cython.locals(wanted=int)
    cpdef arm(self, Watch watch, bint again)
    @cython.locals(remaining=int)
    cpdef disarm(self, Watch watch, int mask)
    @cython.locals(wanted=int)
    cpdef settle(self, Watch watch, bint eager)
    @cython.locals(watch=Watch, before=Handle)
    cpdef set_reader(self, int fd, Handle handle)
    @cython.locals(watch=Watch, before=Handle)
    cpdef set_writer(self, int fd, Handle handle)
    @cython.locals(watch=Watch, handle=Handle)
    cpdef bint clear_reader(self, int fd, bint eager) except *
    @cython.locals(watch=Watch, handle=Handle)
    cpdef bint clear_writer(self, int fd) except *
    @cython.locals(watch=Watch)
    cpdef note_file(self, int fd, object file)
    cpdef forget(self, Watch watch)
    @cython.locals(watch=Watch, again=bint)
    cpdef add_handle(self, int fd, int conditions, Handle handle)
    @cython.locals(watch=Watch)
    cpdef remove_handle(self, int fd, Handle handle)
    @cython.locals(watch=Watch, again=bint)
    cpdef add_waiter(self, int fd, object file, Source waiter)
    @cython.locals(watch=Watch)
    cpdef remove_waiter(self, int fd, Source waiter)
    @cython.locals(handle=Handle)
    cpdef Handle make_handle(self, object callback, tuple args, str method)
    cpdef watch_wakeup(self)
    cpdef wake(self)
    cpdef run(self)
    @cython.locals(now=double, timer=Timer)
    cpdef turn(self)
    @cython.locals(seconds=double)
    cpdef double longest_wait(self, double now) except *
    @cython.locals(events=list, index=int, watch=Watch)
    cpdef double poll(self, double seconds, double now) except *
    @cython.locals(watch=Watch)
    cdef bint is_stale_event(self, int index) except *
    cpdef dispatch(self, int fd, int mask)
    @cython.locals(stream=Source, handle=Handle, shared=bint, wanted=int)
    cpdef measure_events(self, Watch watch, int mask)
    @cython.locals(
        found=int, waiter=Source, handle=Handle, conditions=int, stale=int, waiters=list
    )
    cpdef deliver(self, Watch watch, int mask)
    @cython.locals(wanted=int)
    cdef int tell(self, list waiters, Source waiter, int mask) except -1
    cpdef take_from_outside(self)
    @cython.locals(batch=list, size=Py_ssize_t, position=Py_ssize_t, handle=Handle)
    cpdef run_ready(self)
    cpdef run_handle(self, Handle handle)
    cpdef run_measured(self, Handle handle)
    cpdef callback_failed(self, Handle handle, object error)
    @cython.locals(stream=Source, streams=list)
    cpdef write_out(self)
    cpdef stop(self)
    cpdef close(self)
    cpdef disown(self)
