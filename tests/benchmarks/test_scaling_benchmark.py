"""The curves: a point is the program of that point, and what is drawn is what was measured."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    module = import_module("scaling")
    tiny = {"images": 2, "beams": 2, "tokens": 4, "layers": 1, "pixels": 32}
    monkeypatch.setattr(module, "MIDDLE", tiny)
    monkeypatch.setattr(module, "CURVES", {"beams": (1, 3), "layers": (1, 2)})
    monkeypatch.setattr(module, "ROOT", Path(__file__).parents[1])
    yield module
    for name in ("scaling", "turns"):
        sys.modules.pop(name, None)


def test_each_point_is_measured_and_drawn(scaling, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        sys, "argv", ["scaling", "--config", "tiny_run.py", "--rounds", "1", "--out", str(tmp_path)]
    )
    scaling.main()
    curves = json.loads((tmp_path / "scaling.json").read_text())["curves"]
    assert {what: list(of) for what, of in curves.items()} == {
        "caption": ["beams", "layers"],
        "train": ["layers"],
    }
    few, many = curves["caption"]["beams"].values()
    assert few["memory"] < many["memory"]
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert (tmp_path / "scaling.svg").read_text().count("<path") > 20


def test_a_point_changes_what_it_says(scaling):
    config = scaling.run_path(str(scaling.ROOT / "tiny_run.py"))["get_config"]("")
    point = {"images": 3, "beams": 2, "tokens": 5, "layers": 2, "pixels": 48}
    (traced, _), (step, _) = (program(config, point) for program in scaling.PROGRAMS.values())
    assert (3, 2, 5) in [leaf.shape for leaf in traced.jaxpr.out_avals]
    assert step.args_info[0][1]["image"].shape == (3, 1, 48, 48, 3)
    assert step.args_info[0][1]["tokens"].shape == (3, config.data.captions, 5)
    assert any("layers_1/" in name for name in step.args_info[0][0].trained)
