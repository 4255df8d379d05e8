from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kohakuboard import Board, Histogram
from kohakuboard.client.cuda import SLAB_VALUES, CudaCopies
from kohakuboard.client.device import MOST_CALLS, LateCalls, is_on_device
from kohakuboard.journal.shard import Shard
from kohakuboard.reader import Run, open_run
from tests.client.streams import Scalar, Stream, board_on

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stream() -> Stream:
    return Stream()


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def device_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kohakuboard-device"]


def values(board: Board, name: str) -> list[float]:
    run = open_run(board.path)
    return run.series(name).value.tolist() if name in run.metrics else []


def finished(board: Board) -> Run:
    board.finish()
    return open_run(board.path)


# What waits, and in which order


def test_a_call_returns_while_the_device_is_busy_and_is_appended_when_it_was(stream: Stream) -> None:
    board = board_on(stream)
    board.log(loss=Scalar(stream, 0.5))
    assert values(board, "loss") == []
    stream.run()
    eventually(lambda: values(board, "loss") == [0.5])
    board.finish()


def test_a_value_is_what_it_was_at_the_call_though_it_changes_in_place(stream: Stream) -> None:
    board = board_on(stream)
    loss = Scalar(stream, 1.0)
    for i in range(3):
        board.log(loss=loss)
        loss.fill_(2.0 + i)
    stream.run()
    assert finished(board).series("loss").value.tolist() == [1.0, 2.0, 3.0]


def test_a_call_keeps_its_step_and_time_however_long_its_values_take(stream: Stream) -> None:
    board = board_on(stream)
    board.log(step=7, loss=Scalar(stream, 0.5))
    board.log(plain=1.0)
    logged = time.time()
    time.sleep(0.3)
    stream.run()
    run = finished(board)
    assert run.series("loss").step.tolist() == [7]
    assert run.series("plain").step.tolist() == [8]
    for name in ("loss", "plain"):
        assert run.series(name).time.astype("int64")[0] / 1e6 == pytest.approx(logged, abs=0.2)


def test_calls_behind_one_that_waits_keep_their_places(stream: Stream) -> None:
    board = board_on(stream)
    board.log(x=0.0)
    board.log(x=Scalar(stream, 1.0))
    board.log(x=2.0)
    board.log({"x": 3.0, "bins": Histogram([1.0, 2.0], bins=2)})
    board.log(x=Scalar(stream, 4.0))
    board.log(x=5)
    stream.run(2)
    eventually(lambda: values(board, "x") == [0.0, 1.0, 2.0, 3.0])
    stream.run()
    run = finished(board)
    x = run.series("x")
    assert x.value.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert sorted(set(x.seq.tolist())) == x.seq.tolist()
    assert run.histograms("bins").step.tolist() == [3]


def test_all_that_one_call_logs_is_one_record(stream: Stream) -> None:
    board = board_on(stream)
    metrics = {"a": Scalar(stream, 1.0), "plain": 2.0, "b": Scalar(stream, 3.0), "bins": Histogram([1.0])}
    board.log(metrics)
    stream.run()
    run = finished(board)
    assert [run.series(name).value.tolist() for name in ("a", "plain", "b")] == [[1.0], [2.0], [3.0]]
    assert len({run.series(name).seq[0] for name in ("a", "plain", "b")}) == 1
    assert len(run.histograms("bins").step) == 1


def test_a_dict_that_is_used_again_is_logged_as_it_was(stream: Stream) -> None:
    board = board_on(stream)
    board.log(loss=Scalar(stream, 0.0))
    metrics = {"x": 1.0}
    board.log(metrics)
    metrics["x"] = 2.0
    board.log(metrics)
    stream.run()
    assert finished(board).series("x").value.tolist() == [1.0, 2.0]


def test_what_a_row_would_refuse_is_refused_at_the_call_and_not_later(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    board = board_on(stream)
    board.log(loss=Scalar(stream, 0.0))
    board.log({"huge": 10**400, "x": 1.0})
    board.log({"x": 2.0}, step=2**80)
    board.log({7: 3.0, "half \ud800": 4.0})  # type: ignore[dict-item]
    assert [record.args[0].split()[0] for record in caplog.records] == [  # type: ignore[index, union-attr]
        "'huge'",
        f"step={2**80}",
    ]
    stream.run()
    run = finished(board)
    assert run.series("x").value.tolist() == [1.0, 2.0]
    assert run.series("7").value.tolist() == [3.0]
    assert [run.series(name).value.tolist() for name in run.metrics if name.startswith("half")] == [[4.0]]


def test_threads_that_log_beside_a_device_lose_nothing_and_keep_their_order(stream: Stream) -> None:
    board = board_on(stream)
    over = threading.Event()

    def work(name: str) -> None:
        for i in range(300):
            board.log({name: Scalar(stream, float(i)) if i % 7 == 0 else float(i)})

    def device() -> None:
        while not over.is_set():
            stream.run(3)
            time.sleep(0.0002)

    gpu = threading.Thread(target=device)
    gpu.start()
    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    board.finish()
    over.set()
    gpu.join()
    run = open_run(board.path)
    for n in range(6):
        assert run.series(f"t{n}").value.tolist() == [float(i) for i in range(300)]


# What is on the hot path, and what is not


def test_a_board_without_a_device_has_no_thread_and_no_queue() -> None:
    board = Board("plain", capture_output=False)
    before = board._shard
    board.log(x=1.0)
    board.log(x=torch.tensor(2.0))
    assert device_threads() == []
    assert board._shard is before
    board.finish()


def test_a_board_appends_directly_again_when_nothing_waits(stream: Stream) -> None:
    board = board_on(stream)
    board.log(loss=Scalar(stream, 0.5))
    assert isinstance(board._shard, LateCalls)
    stream.run()
    eventually(lambda: isinstance(board._shard, Shard))
    board.log(x=1.0)
    assert values(board, "x") == [1.0]
    board.finish()
    assert device_threads() == []


def test_the_queue_is_bounded_and_a_call_beyond_it_waits_for_the_oldest() -> None:
    may_go, late = threading.Event(), LateCalls(lambda old, new: None, lambda error: None)
    appended: list[int] = []

    def append(number: int) -> Callable[[Any], None]:
        def append_when_allowed(shard: Any) -> None:
            may_go.wait()
            appended.append(number)

        return append_when_allowed

    late.add(object(), append(-1))
    for i in range(MOST_CALLS - 1):
        late.add(late, append(i))
    beyond = threading.Thread(target=late.add, args=(late, append(MOST_CALLS)))
    beyond.start()
    beyond.join(0.2)
    assert beyond.is_alive()
    assert appended == []
    may_go.set()
    beyond.join(20)
    assert late.stop(20) == 0
    assert appended == [-1, *range(MOST_CALLS - 1), MOST_CALLS]


# When something fails


def test_a_copy_that_fails_costs_its_values_and_nothing_else(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    board = board_on(stream)
    board.log({"loss": Scalar(stream, RuntimeError("device-side assert")), "x": 1.0})
    board.log(x=2.0)
    stream.run()
    run = finished(board)
    assert run.series("x").value.tolist() == [1.0, 2.0]
    assert "loss" not in run.metrics
    assert "'loss' was not logged" in caplog.text
    assert "device-side assert" in caplog.text


def test_a_copy_that_cannot_be_started_costs_its_values_and_nothing_else(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board("device", capture_output=False)
    busy = SimpleNamespace(cuda=SimpleNamespace(is_current_stream_capturing=lambda: True))
    board._copies = CudaCopies(busy)
    board.log({"loss": Scalar(stream, 0.5), "x": 1.0})
    assert values(board, "x") == [1.0]
    assert "'loss' was not logged: " in caplog.text
    assert "log it after a replay" in caplog.text
    board.finish()


def test_values_that_never_come_are_given_up_and_counted() -> None:
    never, failures = threading.Event(), list[Exception]()
    late = LateCalls(lambda old, new: None, failures.append)

    def append(shard: Any) -> None:
        never.wait()
        raise OSError("the journal is closed")

    late.add(object(), append)
    late.add(late, append)
    assert late.stop(0.1) == 2
    never.set()  # and what comes too late is no failure of the journal
    late._thread.join(20)  # type: ignore[union-attr]
    assert failures == []


def test_a_call_that_cannot_be_appended_does_not_stop_those_behind_it() -> None:
    failures, appended = list[Exception](), list[int]()

    def full(shard: Any) -> None:
        raise OSError("no space left")

    late = LateCalls(lambda old, new: None, failures.append)
    late.add(object(), full)
    late.add(late, lambda shard: appended.append(1))
    assert late.stop(20) == 0
    assert [str(failure) for failure in failures] == ["no space left"]
    assert appended == [1]


# The ends of a process


@contextmanager
def script(source: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that logs to runs/default/it."""
    program = (
        "import os, threading, time\n"
        "from tests.client.streams import Scalar, Stream, board_on\n"
        "stream = Stream()\n"
        "board = board_on(stream, base_dir='runs', run_id='it')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", program + source]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process


def test_what_is_on_its_way_when_a_program_ends_is_awaited(tmp_path: Path) -> None:
    source = (
        "for i in range(100): board.log(x=Scalar(stream, float(i)))\n"
        "threading.Timer(0.3, stream.run).start()\n"
        "threading.Thread(target=time.sleep, args=(0.1,)).start()\n"
    )
    with script(source) as process:
        assert process.wait(60) == 0
    run = open_run(tmp_path / "runs" / "default" / "it")
    assert run.series("x").value.tolist() == [float(i) for i in range(100)]
    assert run.status == "finished"


def test_a_kill_costs_what_is_in_flight_and_nothing_before_it(tmp_path: Path) -> None:
    source = (
        "for i in range(100): board.log(x=float(i))\n"
        "board.log(x=Scalar(stream, 100.0))\n"
        "board.log(x=101.0)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with script(source) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    run = open_run(tmp_path / "runs" / "default" / "it")
    assert run.series("x").value.tolist() == [float(i) for i in range(100)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_leaves_what_is_in_flight_to_its_parent(tmp_path: Path) -> None:
    source = (
        "board.log(x=Scalar(stream, 1.0))\n"
        "if (pid := os.fork()) == 0:\n"
        "    board.log(child=1.0)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "board.log(x=2.0)\n"
        "stream.run()\n"
        "board.finish()\n"
    )
    with script(source) as process:
        assert process.wait(60) == 0
    run = open_run(tmp_path / "runs" / "default" / "it")
    assert run.series("x").value.tolist() == [1.0, 2.0]
    assert run.series("child").value.tolist() == [1.0]


# PyTorch


class HostTorch:
    """Be `torch` for CudaCopies where there is no GPU: real tensors, on the host, and a stream that is always done."""

    no_grad, inference_mode = torch.no_grad, torch.inference_mode
    stack = torch.stack

    def __init__(self) -> None:
        self.slabs = 0
        self.cuda = SimpleNamespace(
            is_current_stream_capturing=lambda: False, current_stream=str, Event=self._event
        )

    def empty(self, size: int, *, dtype: Any, device: str, pin_memory: bool) -> torch.Tensor:
        assert pin_memory
        self.slabs += 1
        return torch.empty(size, dtype=dtype, device=device)

    def _event(self, *, blocking: bool) -> Any:
        assert blocking  # else the thread would spin
        return SimpleNamespace(record=lambda stream: None, synchronize=lambda: None)


def test_values_of_several_types_come_back_in_their_order() -> None:
    host = HostTorch()
    tensors = [
        torch.tensor(0.5, requires_grad=True),
        torch.tensor([2**40 + 1]),
        torch.tensor(1.5),
        torch.tensor(True),
        torch.tensor(0.25, dtype=torch.bfloat16),
        torch.tensor([[2.5]], dtype=torch.float64),
    ]
    transfer = CudaCopies(host).start(tensors)
    with torch.no_grad():
        tensors[0].fill_(9.0)
    assert transfer.wait() == [0.5, 2.0**40 + 1, 1.5, 1.0, 0.25, 2.5]


def test_memory_is_pinned_once_for_many_values_and_used_again() -> None:
    host = HostTorch()
    copies = CudaCopies(host)
    with torch.inference_mode():
        transfers = [copies.start([torch.tensor(float(i))]) for i in range(SLAB_VALUES // 2)]
    transfers += [copies.start([torch.tensor(float(i))]) for i in range(SLAB_VALUES // 2, SLAB_VALUES)]
    # In flight all at once, none in the place of another.
    assert [transfer.wait() for transfer in transfers] == [[float(i)] for i in range(SLAB_VALUES)]
    for i in range(2 * SLAB_VALUES):
        assert copies.start([torch.tensor(float(i))]).wait() == [float(i)]
    assert host.slabs == 1
    many = [float(i) for i in range(2 * SLAB_VALUES)]
    for _ in range(2):
        assert copies.start([torch.tensor(number) for number in many]).wait() == many
    assert host.slabs == 2


@pytest.mark.parametrize("value", [1.0, torch.tensor(1.0), "text", None, [1.0]])
def test_what_lies_on_the_host_is_on_no_device(value: Any) -> None:
    assert not is_on_device(value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_cuda_scalar_is_logged_without_a_single_wait_for_the_device(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board = Board("cuda", capture_output=False)
    board.log(warm=torch.zeros((), device="cuda"))  # pins memory
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = torch.zeros((), device="cuda")
        for i in range(200):
            torch.cuda._sleep(200_000)  # type: ignore[no-untyped-call]
            loss += 1.0
            board.log(
                {"loss": loss, "half": loss.half(), "n": torch.full((1,), i, device="cuda"), "x": float(i)}
            )
    finally:
        torch.cuda.set_sync_debug_mode("default")
    run = finished(board)
    numbers = [float(i) for i in range(200)]
    assert run.series("loss").value.tolist() == [number + 1 for number in numbers]
    assert run.series("half").value.tolist() == [number + 1 for number in numbers]
    assert run.series("n").value.tolist() == run.series("x").value.tolist() == numbers
    assert run.series("loss").seq.tolist() == run.series("x").seq.tolist()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_cuda_graph_can_be_captured_while_values_are_on_their_way(caplog: pytest.LogCaptureFixture) -> None:
    """In the usual mode a wait for an event in any thread broke the capture, which ended the training."""
    board = Board("graphs", capture_output=False)
    loss, x = torch.zeros((), device="cuda"), torch.ones(8, device="cuda")
    y, graph = x * 2, torch.cuda.CUDAGraph()
    board.log(loss=loss)
    for i in range(1, 100):
        torch.cuda._sleep(400_000)  # type: ignore[no-untyped-call]
        loss += 1.0
        board.log({"loss": loss, "bins": Histogram(x).compute_bins()} if i % 10 == 0 else {"loss": loss})
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(300):
                y = x * 2
    graph.replay()
    assert y.tolist() == [2.0] * 8
    run = finished(board)
    assert run.series("loss").value.tolist() == [float(i) for i in range(100)]
    assert len(run.histograms("bins").step) == 9
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
