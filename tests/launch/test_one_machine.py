"""cpu.sh, gpu.sh and tpu_vm.sh hand on words and signals, and make a .venv, whole or not at all."""

import os
import shlex
import signal
import subprocess
import sys

import pytest
from machines import LAUNCH, WORDS

SCRIPTS = pytest.mark.parametrize(
    ("script", "extra", "first"),
    [
        ("cpu.sh", "pretrained", []),
        ("gpu.sh", "gpu,pretrained", []),
        ("tpu_vm.sh", "tpu,pretrained", ["--distributed"]),
    ],
)


@SCRIPTS
def test_the_program_gets_every_word_and_its_status_is_handed_on(machine, script, extra, first):
    machine.put_python()
    path = machine.checkout / "launch" / script
    for status in (0, 2):
        assert machine.run("bash", path, *WORDS, ends={"python": status}) == (status, "")
    for call in machine.told("python"):
        assert call["words"] == ["-m", "jaxcap.main", *first, *WORDS]
        assert call["folder"] == str(machine.checkout)


@SCRIPTS
def test_settings_have_defaults_that_can_be_overridden(machine, script, extra, first):
    machine.put_python()
    path = machine.checkout / "launch" / script
    given = {
        "JAX_COMPILATION_CACHE_DIR": "/a b",
        "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.5",
        "GLIBC_TUNABLES": "glibc.malloc.arena_max=2",
    }
    machine.run("bash", path)
    machine.run("bash", path, **given)
    default, own = (call["settings"] for call in machine.told("python"))
    assert default["JAX_COMPILATION_CACHE_DIR"] == str(machine.home / ".cache" / "jaxcap")
    fraction = "0.92" if script == "gpu.sh" else None  # a TPU's memory is all JAX's
    assert default.get("XLA_PYTHON_CLIENT_MEM_FRACTION") == fraction
    assert ("GLIBC_TUNABLES" in default) == (script == "cpu.sh")
    assert own.items() >= given.items()


def test_memory_that_is_given_back_stays_with_the_program(machine):
    """By the settings of cpu.sh; how many pages are fetched anew is what the kernel counts."""
    machine.put_python()
    machine.run("bash", machine.checkout / "launch" / "cpu.sh")
    tunables = machine.told("python")[0]["settings"]["GLIBC_TUNABLES"]
    readme = (LAUNCH.parent / "README.md").read_text()
    assert f"export GLIBC_TUNABLES={tunables}\n" in readme  # with which benchmarks were run
    fetched = [pages_fetched(GLIBC_TUNABLES=given) for given in ("", tunables)]
    anew = 2**28 // 2**21  # pages of 256 MiB, were they all large ones
    assert fetched[0] >= anew > 4 * fetched[1]


def pages_fetched(**settings):
    """By the second of two pieces of work in 256 MiB each, in a thread, as XLA has them."""
    work = """
import ctypes, resource, threading
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
    ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p])
def work():
    piece = libc.malloc(2**28)
    ctypes.memset(piece, 1, 2**28)
    libc.free(piece)
def in_thread():
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
in_thread()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
in_thread()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    command, settings = [sys.executable, "-c", work], {**os.environ, **settings}
    return int(subprocess.run(command, capture_output=True, env=settings, check=True).stdout)


@SCRIPTS
def test_sigterm_reaches_the_program(machine, script, extra, first):
    """It is the process that was started: no shell stands before it and dies in its place."""
    machine.put_python()
    process = machine.start("bash", machine.checkout / "launch" / script, ends={"python": "waits"})
    assert machine.told_soon("python")["process"] == process.pid
    process.terminate()
    assert process.wait(timeout=60) == 143


@SCRIPTS
def test_a_venv_is_made_once(machine, script, extra, first):
    machine.put(machine.bin / "python3")
    path = machine.checkout / "launch" / script
    for _ in range(2):
        assert machine.run("bash", path) == (0, "")
    (made,), (installed,) = machine.told("python3"), machine.told("pip")
    assert made["words"] == ["-m", "venv", ".venv"]
    assert installed["words"] == ["install", "--quiet", "-e", f".[{extra}]"]
    assert made["folder"] == installed["folder"] == str(machine.checkout)
    assert len(machine.told("python")) == 2


@SCRIPTS
def test_a_venv_of_ones_own_is_used_as_it_is(machine, script, extra, first):
    machine.put(machine.bin / "python3")
    machine.put_python()
    assert machine.run("bash", machine.checkout / "launch" / script) == (0, "")
    assert (machine.told("python3"), machine.told("pip")) == ([], [])
    assert len(machine.told("python")) == 1


@SCRIPTS
@pytest.mark.parametrize("what", ["python3", "pip"])
@pytest.mark.parametrize("how", ["fails", "killed"])
def test_a_half_made_venv_is_made_again(machine, script, extra, first, what, how):
    machine.put(machine.bin / "python3")
    path = machine.checkout / "launch" / script
    if how == "fails":
        assert machine.run("bash", path, ends={what: 1})[0] == 1
    else:
        process = machine.start("bash", path, ends={what: "waits"})
        machine.told_soon(what)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
    assert not machine.told("python")
    assert machine.run("bash", path) == (0, "")
    assert len(machine.told("python3")) == 2
    assert len(machine.told("python")) == 1
    assert not (machine.checkout / ".venv" / "unfinished").exists()


def test_the_command_for_all_workers_works_as_it_stands(machine):
    """gcloud hands it to a shell in the home of each worker, where the checkout is."""
    machine.checkout = machine.checkout.rename(machine.home / "jaxcap")
    machine.put_python()
    machine.put(machine.bin / "gcloud")
    script = (machine.checkout / "launch" / "tpu_vm.sh").read_text()
    shown = [line.removeprefix("# ") for line in script.splitlines() if line[:4] == "#   "]
    assert machine.run("bash", "-c", "\n".join(shown)) == (0, "")
    *words, last = machine.told("gcloud")[0]["words"]
    assert words[:4] == ["compute", "tpus", "tpu-vm", "ssh"]
    assert "--worker=all" in words
    option, _, command = last.partition("=")
    assert option == "--command"
    assert machine.run("bash", "-c", command) == (0, "")
    sent = shlex.split(command)[2:]
    assert [word.partition("=")[0] for word in sent] == ["--config", "--workdir"]
    assert machine.told("python")[0]["words"] == ["-m", "jaxcap.main", "--distributed", *sent]
