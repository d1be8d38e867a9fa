"""What a fit remembers: answers by their question, in memory and in the files of a checkpoint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hybridode.errors import DataError, UsageError
from hybridode.fit import checkpoint as checkpoints
from hybridode.fit.checkpoint import Checkpoint, read_memory, read_state
from hybridode.fit.memory import CLOCK, Memory, hash_of, question
from hybridode.fit.progress import Progress, Recorder, Track
from hybridode.fit.time_left import TimeLeft, duration


def square(thetas: np.ndarray) -> dict[str, Any]:
    return {"value": np.sum(thetas**2, axis=1), "gradient": 2 * thetas}


def saved(directory: Path, rounds: list[np.ndarray]) -> Checkpoint:
    """A checkpoint with the answers of some rounds, a file each."""
    checkpoint = Checkpoint(directory, {"model": "m"})
    checkpoint.open()
    memory = Memory(keeping=True)
    for number, thetas in enumerate(rounds):
        memory.answers(b"what", np.arange(3.0), thetas, square)
        checkpoint.write(memory.take(), float(number))
    checkpoint.close()
    return checkpoint


def refuse(thetas: np.ndarray) -> dict[str, Any]:
    raise AssertionError(f"{len(thetas)} points were asked for again")


def test_a_resumed_memory_answers_to_the_last_bit_and_only_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**64, (40, 3), dtype=np.uint64).view(np.float64)  # subnormals and huge ones among them
    thetas = np.where(np.isfinite(bits), bits, 5e-324)
    with np.errstate(over="ignore"):
        saved(tmp_path, [thetas[i : i + 4] for i in range(0, 40, 4)])
        memory = read_memory(tmp_path, [])
        again = memory.answers(b"what", np.arange(3.0), thetas[::-1], refuse)
        expected = square(thetas[::-1])
    for name, array in expected.items():
        np.testing.assert_array_equal(again[name].view(np.uint64), array.view(np.uint64))
    with pytest.raises(AssertionError, match="1 points"):
        memory.answers(b"what", np.arange(3.0), thetas[:1], refuse)


def test_another_function_other_data_or_another_place_is_another_question() -> None:
    theta = np.array([0.0, 1.0])
    keys = {
        question(b"a", hash_of(np.ones(2)), theta),
        question(b"b", hash_of(np.ones(2)), theta),
        question(b"a", hash_of(np.ones(3)), theta),
        question(b"a", hash_of(np.ones(2)), np.array([-0.0, 1.0])),
        question(b"a", hash_of(np.ones(2)), np.nextafter(theta, 2.0)),
    }
    assert len(keys) == 5
    assert hash_of({"b": 1, "a": (2.0, "x")}) == hash_of({"a": [2.0, "x"], "b": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 1.0})


def test_files_are_joined_so_that_there_are_few(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rounds = [rng.normal(size=(2, 5)) for _ in range(100)]
    checkpoint = saved(tmp_path, rounds)
    files = list(checkpoint.folder.glob("*.safetensors"))
    assert len(files) <= 12
    memory = read_memory(tmp_path, [])
    for thetas in rounds:
        memory.answers(b"what", np.arange(3.0), thetas, refuse)
    assert read_state(tmp_path)["elapsed"] == 99.0
    checkpoint.remove()
    assert not list(tmp_path.iterdir())


def test_the_oldest_answers_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_BYTES", 20_000)
    monkeypatch.setattr(checkpoints, "_LARGEST", 5_000)
    rng = np.random.default_rng(2)
    rounds = [rng.normal(size=(4, 30)) for _ in range(50)]
    checkpoint = saved(tmp_path, rounds)
    assert sum(path.stat().st_size for path in checkpoint.folder.glob("*.safetensors")) <= 20_000
    memory = read_memory(tmp_path, [])
    memory.answers(b"what", np.arange(3.0), rounds[-1], refuse)
    asked = []
    memory.answers(b"what", np.arange(3.0), rounds[0], lambda t: asked.append(len(t)) or square(t))
    assert asked == [4]


def test_a_damaged_file_is_named_and_its_part_computed_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    checkpoint = saved(tmp_path, [rng.normal(size=(64, 5)), rng.normal(size=(2, 5))])
    first, second = sorted(checkpoint.folder.glob("*.safetensors"))
    first.write_bytes(first.read_bytes()[:100])
    log: list[str] = []
    assert len(read_memory(tmp_path, log)._known) == 2
    assert first.name in log[0]
    assert second.exists()


def test_checkpoints_that_cannot_be_used_are_refused_politely(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_state(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no checkpoint"):
        read_state(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(DataError, match="is finished"):
        read_state(tmp_path)
    saved(tmp_path, [])
    path = tmp_path / "checkpoint" / "state.json"
    path.parent.mkdir(exist_ok=True)
    for text in ("", "[]", '{"schema": 1}', '{"schema": 1, "elapsed": "x", "run": {}}'):
        path.write_text(text)
        with pytest.raises(DataError, match="cannot be read"):
            read_state(tmp_path)
    path.write_text(json.dumps({"schema": 2}))
    with pytest.raises(DataError, match=r"E0771.*reads up to 1"):
        read_state(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="no such locks there")
def test_two_processes_cannot_work_on_one_run(tmp_path: Path) -> None:
    first, second = Checkpoint(tmp_path, {}), Checkpoint(tmp_path, {})
    first.open()
    with pytest.raises(UsageError, match="another process"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_answers_carry_the_time_at_which_they_were_found(tmp_path: Path) -> None:
    now = iter([1.0, 2.0])
    memory = Memory(keeping=True, seconds=lambda: next(now))
    theta = np.ones((1, 2))
    memory.answers(b"a", 0, theta, square)
    memory.answers(b"b", 0, theta, square)
    fresh = memory.take()
    assert [float(a[CLOCK]) for a in fresh.values()] == [1.0, 2.0]
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.open()
    checkpoint.write(fresh, 2.0)
    later = read_memory(tmp_path, [])
    later.answers(b"b", 0, theta, refuse)
    assert (later.clock, later.replaying) == (2.0, True)


def test_the_trace_of_a_long_run_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridode.fit.progress.MOST_ROWS", 1000)
    track = Track(Recorder())
    for i in range(20_000):
        track.accept(np.zeros(1), 1.0 / (i + 1), np.ones(1))
    iterations = [row.iteration for row in track.rows]
    assert len(iterations) <= 1000
    assert iterations[0] == 1 and iterations[-300:] == list(range(19_701, 20_001)) and iterations == sorted(iterations)


def test_time_left_is_known_from_the_starts_that_have_ended() -> None:
    left = TimeLeft()
    hear = lambda start, iteration, elapsed: left.hear(Progress("s", start, 4, iteration, 1.0, 1.0, elapsed))  # noqa: E731
    hear(1, 1, 10.0)
    assert (left.seconds(10.0), left.words(10.0)) == (None, "time left unknown")
    for i in range(1, 11):
        hear(1, i, 10.0 + i)
    left.end(1)
    # 10 iterations took 10 s; three starts of as many are left
    assert left.seconds(20.0) == pytest.approx(30.0)
    assert left.words(20.0) == "about 30 s left"
    hear(2, 10, 30.0)  # as long as the first and not ended: half as many again
    assert left.seconds(30.0) == pytest.approx(5 + 10 + 10)
    limited = TimeLeft(limit=50.0)
    assert limited.words(20.0) == "at most 30 s left"
    assert [duration(x) for x in (8.2, 89, 600, 9000, 1e6)] == ["8 s", "89 s", "10 min", "2.5 h", "11.6 days"]
