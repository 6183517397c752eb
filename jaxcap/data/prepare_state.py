"""How far a preparation has come, as its folder tells it.

While the work lasts the folder has a `.prepare/` with the plan and the notes of the finished
shards; removing the plan is the last act. The plan says what the result depends on, so that a run
is taken up only by its like.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from jaxcap.data.shard import publish, unfinished_path
from jaxcap.data.sources.files import entries
from jaxcap.errors import UserError

NOTES = ".prepare"
INFO = "dataset_info.json"
REPORT = "report.json"

Plan = dict[str, Any]


def finished_report(out: Path, plan: Plan) -> dict[str, Any] | None:
    """The report of a finished preparation with the same plan; None where there is none.

    Raises:
      UserError: the folder holds a data set that is not of this plan.
    """
    if not (out / INFO).exists() or _plan_file(out).exists():
        return None
    report = _read(out / REPORT) if (out / REPORT).exists() else {}
    _same_plan(out, report.get("plan", {}), plan)
    shutil.rmtree(out / NOTES, ignore_errors=True)
    return report


def begin(out: Path, plan: Plan) -> Path:
    """Takes the folder for this plan, or takes it up again; returns the folder for notes.

    Raises:
      UserError: the folder has other contents.
    """
    notes = out / NOTES
    if _plan_file(out).exists():
        _same_plan(out, _read(_plan_file(out)), plan)
    elif out.exists() and (not out.is_dir() or any(each != notes for each in out.iterdir())):
        raise UserError(f"Give a new or empty folder to write to: {entries(out)}")
    notes.mkdir(parents=True, exist_ok=True)
    for leftover in (*out.glob("*.unfinished"), *notes.glob("*.unfinished")):
        leftover.unlink()
    write_json(_plan_file(out), plan)
    return notes


def end(out: Path) -> None:
    """Marks the work as finished."""
    _plan_file(out).unlink()
    shutil.rmtree(out / NOTES)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Writes the file whole or not at all."""
    unfinished = unfinished_path(path)
    unfinished.write_text(json.dumps(data, indent=2, ensure_ascii=False), encoding="utf-8")
    publish(unfinished, path)


def _plan_file(out: Path) -> Path:
    return out / NOTES / "plan.json"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _same_plan(out: Path, found: Plan, plan: Plan) -> None:
    for key in plan:
        if found.get(key) != plan[key]:
            raise UserError(
                f"{out} holds another data set, or part of one: its {key} is {found.get(key)!r}, "
                f"not {plan[key]!r}. Write to another folder, or remove this one."
            )
