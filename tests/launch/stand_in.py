"""What stands in for python, pip, srun, scontrol and gcloud: it goes by the name that it is put at.

It writes down what it is told, in $TOLD. It ends as $ENDS says of its name: with a status, or when
it gets SIGTERM ("waits"), as a program does that saves first.
"""

import json
import os
import signal
import sys
from pathlib import Path

name, words = Path(sys.argv[0]).name, sys.argv[1:]
ends = json.loads(os.environ["ENDS"]).get(name, 0)
if ends == "waits":  # before anyone can read that it is there
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
told = {
    "name": name,
    "words": words,
    "folder": os.getcwd(),
    "settings": dict(os.environ),
    "process": os.getpid(),
}
with open(os.environ["TOLD"], "a") as file:
    file.write(json.dumps(told) + "\n")
if ends == "waits":
    signal.alarm(60)  # if the test fails to end it
    while True:
        signal.pause()
if ends:
    sys.exit(ends)
if words[:2] == ["-m", "venv"]:
    (room := Path(words[2], "bin")).mkdir(parents=True, exist_ok=True)
    for each in ("python", "pip"):
        (room / each).write_bytes(Path(sys.argv[0]).read_bytes())
        (room / each).chmod(0o755)
if name == "srun":  # it runs what comes after its options and ends as that does
    command = next(place for place, word in enumerate(words) if not word.startswith("-"))
    os.execv(words[command], words[command:])
