"""Lines, rendering and children: what all rungs share."""

import os
import random
import signal
import sys
import threading

import pytest

from ninth.ladder import program as program_module
from ninth.ladder.program import (
    LINE_LIMIT,
    Child,
    Interrupted,
    LatestLine,
    LineDisplay,
    Program,
    StartError,
    printable,
)


def feed(*pieces: bytes, end: bool = False) -> LatestLine:
    latest = LatestLine()
    for piece in pieces:
        latest.feed(piece)
    if end:
        latest.end()
    return latest


class TestLatestLine:
    @pytest.mark.parametrize(
        ("pieces", "text", "count"),
        [
            ([], "", 0),
            ([b"partial"], "", 0),
            ([b"one\n"], "one", 1),
            ([b"one\ntwo\n"], "two", 2),
            ([b"one\ntwo\nthr"], "two", 2),
            ([b"on", b"e", b"\n"], "one", 1),
            ([b"one\ntw", b"o\n"], "two", 2),
            ([b"one", b"\ntwo", b"\nthree"], "two", 2),
            ([b"a\n\n"], "", 2),
            ([b"\n\n\n"], "", 3),
            ([b"one\r\n"], "one", 1),
            ([b"\xc3", b"\xa9\n"], "é", 1),
            ([b"\xff\xfe\n"], "\ufffd\ufffd", 1),
            ([b"\xf0\x9f", b"\x98\x80", b"\n"], "😀", 1),
        ],
    )
    def test_is_the_last_complete_one(self, pieces: list[bytes], text: str, count: int) -> None:
        latest = feed(*pieces)
        assert (latest.text, latest.count) == (text, count)

    def test_last_line_without_newline_counts_at_the_end(self) -> None:
        latest = feed(b"one\ntwo", end=True)
        assert (latest.text, latest.count) == ("two", 2)
        latest.end()
        assert latest.count == 2

    def test_nothing_after_the_newline_is_no_line(self) -> None:
        assert feed(b"one\n", end=True).count == 1

    def test_a_long_line_is_cut_and_marked_at_once(self) -> None:
        latest = feed(b"x" * LINE_LIMIT)
        assert latest.count == 0
        latest.feed(b"y")
        assert latest.text == "x" * LINE_LIMIT + "…"
        latest.feed(b"z" * 10 * LINE_LIMIT)
        assert latest.count == 1
        latest.feed(b"the rest\nnext\n")
        assert (latest.text, latest.count) == ("next", 2)

    def test_the_rest_of_a_cut_line_is_no_line_of_its_own(self) -> None:
        latest = feed(b"x" * (LINE_LIMIT + 1), b"rest\n")
        assert latest.text == "x" * LINE_LIMIT + "…"
        assert latest.count == 1
        assert feed(b"x" * (LINE_LIMIT + 1), b"rest", end=True).count == 1

    def test_a_line_of_just_the_limit_is_whole(self) -> None:
        assert feed(b"x" * LINE_LIMIT, b"\n").text == "x" * LINE_LIMIT

    def test_a_line_that_ends_within_the_read_is_cut_too(self) -> None:
        latest = feed(b"x" * 10, b"x" * LINE_LIMIT + b"\n")
        assert (latest.text, latest.count) == ("x" * LINE_LIMIT + "…", 1)

    def test_a_cut_does_not_break_a_character(self) -> None:
        latest = feed("é".encode() * LINE_LIMIT)
        assert latest.text == "é" * (LINE_LIMIT // 2) + "…"
        odd = feed(b"x" + "é".encode() * LINE_LIMIT)
        assert odd.text == "x" + "é" * ((LINE_LIMIT - 1) // 2) + "…"

    def test_memory_is_bounded(self) -> None:
        latest = LatestLine()
        for _ in range(100):
            latest.feed(b"x" * LINE_LIMIT)
        assert len(latest._partial) <= LINE_LIMIT
        assert len(latest._line) <= LINE_LIMIT

    def test_how_the_bytes_are_split_makes_no_difference(self) -> None:
        chance = random.Random(9)
        for _ in range(300):
            data = bytes(chance.choice(b"ab\n\r\xc3\xa9") for _ in range(chance.randrange(60)))
            whole = feed(data, end=True)
            latest = LatestLine()
            rest = data
            while rest:
                size = chance.randrange(1, 8)
                latest.feed(rest[:size])
                rest = rest[size:]
            latest.end()
            lines = data.split(b"\n")
            expected = lines if lines[-1] else lines[:-1]
            assert latest.count == whole.count == len(expected)
            assert latest.text == whole.text
            if expected:
                assert latest.text == printable(expected[-1].decode(errors="replace").rstrip("\r"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain é 漢 😀", "plain é 漢 😀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Htop", "top"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\dcs", "dcs"),
        ("\x1bcreset\x1b(B", "reset"),
        ("a\x1b", "a␛"),
        ("\x1b[12", "␛[12"),
        ("a\tb", "a\tb"),
        ("10%\r20%", "10%␍20%"),
        ("bell\x07 nul\x00 del\x7f", "bell␇ nul␀ del␡"),
        ("\x9b31m", "\ufffd31m"),
        ("\x85\u2028\u2029", "\ufffd  "),
    ],
)
def test_printable_leaves_no_control(raw: str, shown: str) -> None:
    assert printable(raw) == shown


class TestLineDisplay:
    def test_writes_a_line_only_when_it_differs(self) -> None:
        read, write = os.pipe()
        show = LineDisplay(write, separator="|")
        show("12:00", ["a", "b"])
        show("12:00", ["a", "b"])
        show("12:00", ["a", "c"])
        os.close(write)
        assert os.read(read, 1000) == b"12:00|a|b\n12:00|a|c\n"
        os.close(read)

    def test_waits_for_a_first_line_but_not_for_ever(self) -> None:
        read, write = os.pipe()
        LineDisplay(write, interval=1000)("12:00", ["", ""])
        LineDisplay(write, interval=0)("12:01", ["", ""])
        os.close(write)
        assert os.read(read, 1000) == b"12:01  \n"
        os.close(read)

    def test_writes_all_to_a_full_pipe_that_does_not_block(self) -> None:
        read, write = os.pipe()
        os.set_blocking(write, False)
        text = "x" * 300_000
        received = bytearray()

        def drain() -> None:
            while data := os.read(read, 65536):
                received.extend(data)

        thread = threading.Thread(target=drain)
        thread.start()
        LineDisplay(write)("t", [text])
        os.close(write)
        thread.join()
        os.close(read)
        assert received.decode() == f"t {text}\n"


@pytest.mark.usefixtures("no_leaks")
class TestProgram:
    def test_a_child_without_pidfd(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "pidfd_open")
        before = set(threading.enumerate())
        with Program(["exit 7"], lambda *_: None) as program:
            child = program.start("exit 7")
            assert os.read(child.end, 1) == b""  # end of file, when the child has ended
            assert not child.running()
        assert child.returncode == 7
        for thread in set(threading.enumerate()) - before:
            thread.join(5)

    def test_an_odd_error_of_pidfd_open_leaves_no_child(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_pid: int) -> int:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(os, "pidfd_open", fail)
        with (
            Program(["sleep 100"], lambda *_: None) as program,
            pytest.raises(StartError, match="Too many open files"),
        ):
            program.start("sleep 100")

    def test_a_null_byte_in_a_command(self) -> None:
        with (
            Program(["a", "b\0c"], lambda *_: None) as program,
            pytest.raises(StartError, match=r"cannot start command 1 of 2, .*null byte"),
        ):
            program.start("b\0c")

    def test_a_signal_while_starting_is_kept_until_the_child_is_known(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupting(Child):
            def __init__(self, command: str, stderr: int | None = None) -> None:
                super().__init__(command, stderr)
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(program_module, "Child", Interrupting)
        program = Program(["sleep 100"], lambda *_: None)
        with pytest.raises(Interrupted), program:
            program.start("sleep 100")
        assert program.children[0].returncode == -signal.SIGTERM

    def test_a_signal_whose_exception_got_lost_is_raised_by_render(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost: list[object] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda report: lost.append(report.exc_type))

        class Deaf:
            def __del__(self) -> None:
                signal.raise_signal(signal.SIGTERM)

        program = Program([], lambda *_: None)
        deaf = [Deaf()]
        with pytest.raises(Interrupted) as caught, program:
            deaf.clear()  # Python reports what __del__ raises, and goes on
            assert lost == [Interrupted]
            program.render()
        assert caught.value.signum == signal.SIGTERM

    def test_signals_that_were_ignored_stay_ignored(self) -> None:
        previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Program([], lambda *_: None):
                assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, previous)

    def test_ignored_sigchld_loses_no_status(self) -> None:
        previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            with Program(["exit 5"], lambda *_: None) as program:
                child = program.start("exit 5")
                child.wait()
            assert child.returncode == 5
            assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGCHLD, previous)

    def test_runs_in_a_thread_without_signals(self) -> None:
        statuses: list[int | None] = []

        def work() -> None:
            with Program(["exit 4"], lambda *_: None) as program:
                child = program.start("exit 4")
                child.wait()
            statuses.append(child.returncode)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert statuses == [4]
