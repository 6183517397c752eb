"""ShellCheck finds nothing in the project's shell scripts, and does find what is wrong in one."""

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from machines import LAUNCH

ROOT = LAUNCH.parent
SHELLCHECK = Path(sysconfig.get_path("scripts"), "shellcheck")
BOXED = ROOT / "jaxcap" / "boxed" / "rebuild.sh"
SCRIPTS = [*sorted(LAUNCH.glob("*.sh")), LAUNCH / "slurm.sbatch", BOXED, ROOT / ".ci" / "run"]


def shellcheck(path):
    """(exit status, what it says)."""
    command = [SHELLCHECK, "--norc", path]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_nothing_is_found(path):
    assert shellcheck(path) == (0, "")


@pytest.mark.parametrize("name", ["cpu.sh", "gpu.sh", "tpu_vm.sh", "slurm.sbatch"])
def test_words_that_would_be_split_are_found(name, tmp_path):
    damaged = (LAUNCH / name).read_text().replace('"$@"', "$@")
    (tmp_path / name).write_text(damaged)
    status, said = shellcheck(tmp_path / name)
    assert (status, "SC2068" in said) == (1, True), said


def test_the_readme_lists_the_files():
    listed = re.findall(r"^\| `(.+?)` \|", (LAUNCH / "README.md").read_text(), re.MULTILINE)
    assert sorted([*listed, "README.md"]) == sorted(each.name for each in LAUNCH.iterdir())
