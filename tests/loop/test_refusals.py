"""What a loop refuses, what it does not outlive, and what a subclass may change."""

import gc
import os
import signal
import warnings
from typing import Any

import pytest

from ninth.loop import READ, Loop


def test_what_cannot_be_called_is_refused(loop: Loop) -> None:
    read, write = os.pipe()
    try:
        for refused in (
            lambda: loop.add_reader(read, 5),  # type: ignore[arg-type]
            lambda: loop.add_writer(write, 5),  # type: ignore[arg-type]
            lambda: loop.watch(read, READ, 5),  # type: ignore[arg-type]
            lambda: loop.add_signal_handler(signal.SIGUSR1, 5),  # type: ignore[arg-type]
            lambda: loop.watch_child(os.getpid(), 5),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError, match="callable object was expected"):
                refused()
    finally:
        os.close(read)
        os.close(write)


def test_a_time_must_be_a_number_and_a_pid_one_process(loop: Loop) -> None:
    with pytest.raises(TypeError, match="real number"):
        loop.call_at("x", print)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="above zero"):
        loop.watch_child(-1, print)


def test_two_loops_of_one_signal_leave_no_handler_in_any_order() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    first, second = Loop(), Loop()
    first.add_signal_handler(signal.SIGUSR1, print)
    second.add_signal_handler(signal.SIGUSR1, print)
    first.close()
    second.close()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_the_calls_of_a_subclass_are_its_own() -> None:
    seen: list[str] = []

    class Noted(Loop):
        def call_soon(self, *args: Any, **options: Any) -> Any:
            seen.append("call_soon")
            return super().call_soon(*args, **options)

        def time(self) -> float:
            return 1000.0

    with Noted() as loop:
        loop.call_soon(print)
        assert loop.call_later(5, print).when() == 1005
    assert seen == ["call_soon"]


def test_a_loop_that_is_dropped_is_closed_with_a_warning() -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    loop = Loop()
    with pytest.warns(ResourceWarning, match="unclosed loop"):
        del loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_forked_child_harms_nothing_of_its_parent() -> None:
    read, write = os.pipe()
    with Loop() as loop:
        loop.add_reader(read, loop.stop)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                loop.call_soon(print)
            except RuntimeError as error:
                code = 0 if "parent process" in str(error) else 2
            loop.remove_reader(read)
            loop.close()
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.write(write, b"x")
        loop.run()
    os.close(read)
    os.close(write)


def test_timers_compare_as_those_of_asyncio(loop: Loop) -> None:
    early, late = loop.call_at(1, print), loop.call_at(2, print)
    assert early < late
    assert late > early
    assert early <= loop.call_at(1, print)
    assert early == loop.call_at(1, print)
    assert early != loop.call_at(1, repr)
    assert hash(early) == hash(1.0)
