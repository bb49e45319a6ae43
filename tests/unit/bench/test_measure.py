"""A figure is valid only with the expected lines, and counts the whole command."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.measure import BenchError, Command, Sample, load, process_cpu, run, save


def python(code: str, **counts: int) -> Command:
    return Command("it", [sys.executable, "-c", code], **counts)


def test_lines_and_bytes_are_counted_through_the_pipe(tmp_path: Path) -> None:
    lines = 300_000
    sample = run("work", python(f"print('x\\n' * {lines}, end='')", lines=lines), tmp_path)
    assert (sample.lines, sample.bytes) == (lines, 2 * lines)


@pytest.mark.parametrize("counts", [{"lines": 2}, {"lines": 0}, {"bytes": 3}])
def test_a_wrong_count_is_an_error(counts: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"got 1 lines, expected|got 2 bytes, expected"):
        run("work", python("print('x')", **counts), tmp_path)


def test_a_command_that_fails_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"it \(work\) ended with 1: no luck"):
        run("work", python("import sys; sys.exit('no luck')"), tmp_path)


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot run it: .*no-such-program"):
        run("work", Command("it", ["no-such-program"]), tmp_path)


def test_time_of_children_counts(tmp_path: Path) -> None:
    spin = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    script = f'"{sys.executable}" -c "$SPIN" | cat'
    command = Command("it", ["sh", "-c", script], env={"SPIN": spin})
    assert run("work", command, tmp_path).cpu >= 0.2


def test_peak_memory_is_the_commands(tmp_path: Path) -> None:
    most = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 50_000_000
    )  # it inherits that
    sample = run("work", python(f"x = b'x' * {most}"), tmp_path)
    assert most < sample.rss * 1024 < most + 60_000_000


def test_the_callers_settings_do_not_reach_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "x")
    assert run("work", python("import os; print(len(os.environ))"), tmp_path).lines == 1
    run("work", python("import os; assert 'COVERAGE_PROCESS_START' not in os.environ"), tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="the clock id is Linux's")
def test_the_time_of_a_running_process() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    used = process_cpu(process.pid)
    process.communicate(b"\n")
    assert 0.2 <= used < 2
    began = time.process_time()
    assert process_cpu(os.getpid()) == pytest.approx(began, abs=0.05)


def test_raw_figures_are_read_back_as_written(tmp_path: Path) -> None:
    samples = [Sample("work", "it", 1.5, 0.5, 1000, 10, 100, 2)]
    save(samples, tmp_path / "results" / "x.json", cores=2)
    assert load(tmp_path / "results" / "x.json") == ({"cores": 2}, samples)
