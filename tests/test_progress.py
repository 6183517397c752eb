"""A bar is for people at a terminal, and for nobody else."""

import os
import pty
import subprocess
import sys

import pytest

CODE = """
import time
from jaxcap.progress import bar, waiting
with bar("images", 3, done=1) as advance:
    advance(1)
    time.sleep(0.2)
    advance(1)
    time.sleep(0.2)
with waiting("Thinking"):
    time.sleep(0.2)
print("done")
"""


def test_nothing_is_drawn_where_there_is_no_terminal():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("done\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_sees_what_is_done_and_what_waits():
    """On the standard error: the standard output has what was asked for, and no more."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        printed, _ = process.communicate(timeout=60)
    drawn = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        drawn += more
    os.close(ours)
    assert printed == "done\n"
    for sign in (b"images", b"3/3", b"/s", b"Thinking"):
        assert sign in drawn
