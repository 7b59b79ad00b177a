"""Several files at the same time: bounded, counted together, ended together."""

from __future__ import annotations

import threading

import pytest

from carrel.cli.parallel import Counter, in_parallel
from carrel.core.errors import Cancelled, Forbidden
from carrel.core.progress import Progress


def test_so_many_at_the_same_time_and_no_more() -> None:
    barrier, lock, running, most = threading.Barrier(3), threading.Lock(), 0, 0

    def work(_number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait(10)
        with lock:
            running -= 1

    in_parallel(range(9), work, 3, threading.Event())
    assert most == 3
    in_parallel([], work, 3, threading.Event())


def test_the_first_error_ends_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 2:
            raise Forbidden("No.")
        done.append(number)

    with pytest.raises(Forbidden, match="No"):
        in_parallel(range(1000), work, 1, threading.Event())
    assert done[:2] == [0, 1]
    assert len(done) < 1000


def test_cancelling_says_how_to_go_on() -> None:
    cancel = threading.Event()
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number == 1:
            cancel.set()
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled, match="goes on from there"):
        in_parallel(range(100), work, 1, cancel)
    assert done == [0, 1]


def test_what_several_report_is_added_up() -> None:
    told: list[Progress] = []
    counter = Counter("upload", 30, told.append)
    counter.of("a")(Progress("upload", 5, 10, "bytes"))
    counter.of("b")(Progress("upload", 20, 20, "bytes"))
    counter.finish("a", 10)
    assert [report.done for report in told] == [5, 25, 30]
    assert told[-1] == Progress("upload", 30, 30, "bytes")
