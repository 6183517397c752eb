"""The notebook runs from its first cell to its last, and says what it promises."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_notebook_runs(tmp_path):
    for name in ("colab.ipynb", "skateboarder.jpg"):
        shutil.copy(EXAMPLES / name, tmp_path)
    # The command is where this Python is, whether its environment is active or not.
    place = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    run = [sys.executable, "-m", "jupyter", "execute", "--timeout=600", "--inplace", "colab.ipynb"]
    ran = subprocess.run(
        run,
        cwd=tmp_path,
        env={**os.environ, "PATH": place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    cells = json.loads((tmp_path / "colab.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    printed = "".join("".join(output.get("text", ())) for output in outputs)
    assert "a skateboarder is doing a trick" in printed
    assert "Steps        30 of 30" in printed
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    kept = json.loads((EXAMPLES / "colab.ipynb").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in kept)
