"""Signals: none lost, none doubled, the handler before put back."""

import os
import signal
import threading
from typing import Any

import pytest

from ninth.loop import Loop


def test_a_signal_calls_back_in_the_loop(loop: Loop) -> None:
    calls: list[Any] = []

    def got(value: str) -> None:
        calls.append(value)
        loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, got, "usr1")
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    loop.run()
    assert calls == ["usr1"]


def test_a_signal_ends_a_wait(loop: Loop) -> None:
    thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    thread.start()
    loop.run()
    thread.join()


def test_a_storm_loses_no_kind_of_signal(loop: Loop) -> None:
    """278 bytes filled asyncio's wake-up pipe, and what came then was lost."""
    calls: list[str] = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, "usr1")
    loop.add_signal_handler(signal.SIGUSR2, calls.append, "usr2")
    for _ in range(100_000):
        signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR2)
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run()
    assert sorted(calls) == ["usr1", "usr2"]


def test_a_full_wake_up_pipe_loses_nothing(loop: Loop) -> None:
    calls: list[str] = []

    def storm() -> None:
        for _ in range(100_000):
            signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR2)

    loop.add_signal_handler(signal.SIGUSR1, calls.append, "usr1")
    loop.add_signal_handler(signal.SIGUSR2, loop.stop)
    loop.call_soon(storm)
    loop.run()
    assert calls == ["usr1"]


def test_the_handler_before_is_put_back(loop: Loop) -> None:
    def before(*_: object) -> None:
        raise AssertionError

    original = signal.signal(signal.SIGUSR1, before)
    try:
        loop.add_signal_handler(signal.SIGUSR1, print)
        loop.add_signal_handler(signal.SIGUSR1, print)
        assert signal.getsignal(signal.SIGUSR1) is not before
        assert loop.remove_signal_handler(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is before
        assert not loop.remove_signal_handler(signal.SIGUSR1)
        loop.add_signal_handler(signal.SIGUSR1, print)
        loop.close()
        assert signal.getsignal(signal.SIGUSR1) is before
    finally:
        signal.signal(signal.SIGUSR1, original)


def test_the_wake_up_descriptor_before_is_put_back(loop: Loop) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    try:
        loop.call_soon(loop.stop)
        loop.run()
        assert signal.set_wakeup_fd(-1) == write
    finally:
        signal.set_wakeup_fd(-1)
        os.close(read)
        os.close(write)


def test_what_cannot_be_caught_is_refused(loop: Loop) -> None:
    with pytest.raises(RuntimeError, match="cannot be caught"):
        loop.add_signal_handler(signal.SIGKILL, print)


def test_other_threads_are_refused(loop: Loop) -> None:
    errors: list[Exception] = []

    def add() -> None:
        try:
            loop.add_signal_handler(signal.SIGUSR1, print)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_an_interrupted_call_does_not_escape(loop: Loop) -> None:
    """A signal whose handler is not ours must not surface as InterruptedError."""
    seen: list[int] = []
    original = signal.signal(signal.SIGALRM, lambda signum, _: seen.append(signum))
    signal.siginterrupt(signal.SIGALRM, True)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        loop.call_later(0.1, loop.stop)
        loop.run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, original)
    assert seen


def test_keyboard_interrupt_leaves_a_wait(loop: Loop) -> None:
    thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    thread.join()
    loop.call_soon(loop.stop)
    loop.run()
