"""A machine for the scripts of launch/: a checkout of nothing else, programs that stand in."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

LAUNCH = Path(__file__).parents[2] / "launch"
STAND_IN = Path(__file__).with_name("stand_in.py")
# Words that a shell would split, expand or lose.
WORDS = ["--config=my configs/a.py", "--workdir=$HOME/*", "it's", '"', "", "two\nlines", "--"]


class Machine:
    """Its own home, PATH and checkout, whose name has a space; `bin` comes first on the PATH."""

    def __init__(self, home: Path):
        self.home, self.bin, self.checkout = home, home / "bin", home / "my checkout"
        self.told_in, self.running = home / "told", list[subprocess.Popen[str]]()
        shutil.copytree(LAUNCH, self.checkout / "launch")

    def put(self, *places: Path) -> None:
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"#!{sys.executable} -IS\n" + STAND_IN.read_text())
            place.chmod(0o755)

    def put_python(self) -> None:
        """A .venv, made by hand."""
        self.put(self.checkout / ".venv" / "bin" / "python")

    def start(self, *command: str | Path, ends=None, **settings: str) -> subprocess.Popen[str]:
        """Starts a program in the home; `ends` is how each of those that stand in is to end."""
        self.running.append(
            subprocess.Popen(
                command,
                cwd=self.home,
                env={
                    "PATH": f"{self.bin}:{os.environ['PATH']}",
                    "HOME": str(self.home),
                    "TOLD": str(self.told_in),
                    "ENDS": json.dumps(ends or {}),
                    **settings,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return self.running[-1]

    def run(self, *command: str | Path, ends=None, **settings: str) -> tuple[int, str]:
        """(exit status, what it printed)."""
        process = self.start(*command, ends=ends, **settings)
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed

    def told(self, name: str) -> list[dict]:
        """What those of a name were told, a call each."""
        lines = self.told_in.read_text().splitlines(keepends=True) if self.told_in.exists() else []
        calls = [json.loads(line) for line in lines if line.endswith("\n")]
        return [call for call in calls if call["name"] == name]

    def told_soon(self, name: str) -> dict:
        """The same of one that is still starting."""
        until = time.monotonic() + 60
        while not self.told(name):
            assert time.monotonic() < until, f"{name} has not started"
            time.sleep(0.02)
        return self.told(name)[-1]

    def end(self) -> None:
        for process in self.running:
            with process:  # closes its pipe
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
