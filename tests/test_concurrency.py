"""Two pieces of work at once, and a process that ends while one of them is still computed."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from selfchatbot.concurrency import MAX_AHEAD, two_at_once


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_two_pieces_are_computed_at_once_and_come_in_order() -> None:
    both = threading.Barrier(2, timeout=20)
    threads: list[int] = []

    def compute(piece: int) -> int:
        both.wait()  # a piece alone would wait in vain
        threads.append(torch.get_num_threads())
        time.sleep(0.05 if piece % 2 == 0 else 0)  # so the second of two is ready first
        return piece * piece

    assert list(two_at_once(compute, range(8), "cpu")) == [piece * piece for piece in range(8)]
    assert threads == [1] * 8
    assert torch.get_num_threads() == 2
    product = torch.rand(64, 64) @ torch.rand(64, 64)
    assert product.shape == (64, 64)


@pytest.mark.usefixtures("two_threads")
def test_one_core_computes_one_piece() -> None:
    torch.set_num_threads(1)
    at = list(two_at_once(lambda _: threading.current_thread(), range(3), "cpu"))
    assert at == [threading.main_thread()] * 3


@pytest.mark.usefixtures("two_threads")
def test_a_single_piece_has_all_cores() -> None:
    assert list(two_at_once(lambda _: torch.get_num_threads(), [0], "cpu")) == [2]


@pytest.mark.usefixtures("two_threads")
def test_a_graphics_card_computes_one_piece() -> None:
    at = list(two_at_once(lambda _: threading.current_thread(), range(3), "cuda"))
    assert at == [threading.main_thread()] * 3


@pytest.mark.usefixtures("two_threads")
def test_an_error_comes_at_once_and_ends_the_work() -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def compute(piece: int) -> int:
        begun.append(piece)
        if piece == 0:
            raise ValueError("bad piece")
        go_on.wait(20)
        return piece

    found = two_at_once(compute, range(100), "cpu")
    with pytest.raises(ValueError, match="bad piece"):
        next(found)
    assert not go_on.is_set() and len(begun) <= MAX_AHEAD
    go_on.set()
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_no_work_is_done_long_before_it_is_asked_for() -> None:
    begun: list[int] = []
    found = two_at_once(begun.append, range(100), "cpu")
    next(found)
    time.sleep(0.2)
    assert len(begun) <= MAX_AHEAD + 1
    found.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process there")
def test_a_process_does_not_wait_for_the_piece_that_is_computed() -> None:
    program = (
        "import os, signal, time, torch\n"
        "from selfchatbot.cli.shell import leave, run\n"
        "from selfchatbot.concurrency import two_at_once\n"
        "torch.set_num_threads(2)\n"
        "def compute(piece):\n"
        "    if piece == 1:\n"
        "        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does\n"
        "    time.sleep(600)\n"
        "leave(run(lambda: list(two_at_once(compute, range(3), 'cpu'))))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (130, "\ninterrupted\n")
