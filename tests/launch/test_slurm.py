"""slurm.sbatch hands on words; a run that was stopped (143) comes back, and no other does.

SLURM runs a copy of the script elsewhere. `--signal` without `B:` goes to the tasks of srun and not
to the script; scancel goes to both.
"""

import os
import re
import shutil
import signal

import pytest
from machines import LAUNCH, WORDS

OPTION = re.compile(r"#SBATCH --([a-z-]+)(?:=(.+))?")


@pytest.fixture
def job(machine):
    """(machine, the command of the job's script, what SLURM sets for it)."""
    machine.put_python()
    machine.put(machine.bin / "srun", machine.bin / "scontrol")
    script = machine.home / "spool" / "slurm_script"
    script.parent.mkdir()
    shutil.copy(LAUNCH / "slurm.sbatch", script)
    settings = {
        "SLURM_SUBMIT_DIR": str(machine.checkout),
        "SLURM_JOB_ID": "71",
        "SLURM_CPUS_PER_TASK": "12",
    }
    return machine, ("bash", script), settings


def requeued(machine):
    return [call["words"] for call in machine.told("scontrol")]


def test_every_task_gets_every_word_and_its_cpus(job):
    machine, script, settings = job
    own = {"JAX_COMPILATION_CACHE_DIR": "/a b", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.5"}
    assert machine.run(*script, *WORDS, **settings) == (0, "")
    assert machine.run(*script, *WORDS, **settings, **own) == (0, "")
    for call in machine.told("srun"):
        assert call["words"][0] == "--cpus-per-task=12"
    for call in machine.told("python"):
        assert call["words"] == ["-m", "jaxcap.main", "--distributed", *WORDS]
        assert call["folder"] == str(machine.checkout)
    default, given = (call["settings"] for call in machine.told("python"))
    assert default["JAX_COMPILATION_CACHE_DIR"] == str(machine.home / ".cache" / "jaxcap")
    assert default["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.92"
    assert given.items() >= own.items()


@pytest.mark.parametrize("who", ["srun", "python"])
@pytest.mark.parametrize("status", [0, 1, 2, 137, 143])
def test_the_status_is_handed_on_and_only_a_stopped_run_comes_back(job, who, status):
    machine, script, settings = job
    assert machine.run(*script, ends={who: status}, **settings) == (status, "")
    assert requeued(machine) == ([["requeue", "71"]] if status == 143 else [])


def test_a_run_that_slurm_stops_comes_back(job):
    """As with `--signal=TERM@300`: the tasks get it, the script does not."""
    machine, script, settings = job
    process = machine.start(*script, ends={"python": "waits"}, **settings)
    task = machine.told_soon("python")["process"]
    assert task != process.pid
    os.kill(task, signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert requeued(machine) == [["requeue", "71"]]


def test_a_job_that_is_cancelled_does_not_come_back(job):
    """As by scancel: the script gets it as well, and dies before it can ask to be requeued."""
    machine, script, settings = job
    process = machine.start(*script, ends={"python": "waits"}, **settings)
    task = machine.told_soon("python")["process"]
    process.terminate()
    os.kill(task, signal.SIGTERM)
    process.communicate(timeout=60)  # until the task has ended as well, for its output is the same
    assert process.returncode == -signal.SIGTERM
    assert requeued(machine) == []


def test_without_sbatch_it_says_what_it_is_for(job):
    machine, script, _ = job
    status, printed = machine.run(*script)
    assert status != 0
    assert "to be given to sbatch" in printed
    assert not machine.told("srun")


def test_the_options_fit_what_the_script_does():
    lines = (LAUNCH / "slurm.sbatch").read_text().splitlines()
    options = {found[1]: found[2] for found in map(OPTION.fullmatch, lines) if found}
    marked = [place for place, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert len(options) == len(marked)
    first = next(place for place, line in enumerate(lines) if not line.startswith("#"))
    assert marked[-1] < first  # sbatch reads no options after a command
    assert options["gpus-per-node"] == options["ntasks-per-node"]  # a process for each GPU
    assert "cpus-per-task" in options  # or SLURM does not set SLURM_CPUS_PER_TASK
    name, _, seconds = options["signal"].partition("@")
    assert name == "TERM"  # not B:TERM, which would go to the script alone
    assert int(seconds) >= 60
    assert "requeue" in options
    assert options["open-mode"] == "append"  # the log of a job that comes back
