"""Configs by their names, from any folder."""

from pathlib import Path

import pytest

from jaxcap.errors import UserError
from jaxcap.named_config import located, named_config, shipped

CONFIGS = Path(__file__).parents[1] / "configs"
OWN = """
from jaxcap.config import base
def get_config(arg="nothing"):
    config = base()
    config.data.source = arg
    return config
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("shapes", ""),
        ("shapes:long", ":long"),
        ("shapes.py:long", ":long"),
        ("configs/shapes.py", ""),
        ("configs/shapes.py:long", ":long"),
        ("configs/shapes:a:b", ":a:b"),
    ],
)
def test_a_config_that_is_shipped_is_found_from_any_folder(name, argument, elsewhere):
    assert located(name) == f"{CONFIGS / 'shapes.py'}{argument}"


def test_a_file_of_that_name_comes_first(elsewhere):
    (elsewhere / "configs").mkdir()
    for file in ("shapes.py", "configs/shapes.py", "mine.py"):
        (elsewhere / file).write_text(OWN)
        assert located(file) == file
        assert located(f"{elsewhere / file}:x") == f"{elsewhere / file}:x"
    assert located("shapes") == str(CONFIGS / "shapes.py")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("shape", "Did you mean 'shapes'"),
        ("configs/shaeps.py:long", "no config 'configs/shaeps.py', .* Did you mean 'shapes'"),
        ("zzz", "Known: coco, cptr, dalle, "),
        ("other/shapes.py", "no config 'other/shapes.py'"),
        ("", "no config ''"),
    ],
)
def test_a_name_of_nothing_is_told_with_the_nearest(name, told, elsewhere):
    with pytest.raises(UserError, match=told):
        located(name)


def test_configs_are_told_by_the_first_lines_of_their_docstrings():
    found = shipped()
    assert set(found) == {file.stem for file in CONFIGS.glob("*.py")}
    for name, about in found.items():
        assert about
        assert (CONFIGS / f"{name}.py").read_text().startswith(f'"""{about}\n')


def test_a_config_is_made_with_its_argument(elsewhere):
    (elsewhere / "mine.py").write_text(OWN)
    assert named_config("mine.py").data.source == "nothing"
    assert named_config("mine.py:csv:a.csv").data.source == "csv:a.csv"
    short, long = named_config("shapes").steps, named_config("shapes:long").steps
    assert short < long


def test_a_config_that_is_made_of_another_needs_no_folder(elsewhere):
    config, other = named_config("flickr8k_scst:photos"), named_config("flickr8k:photos")
    assert config.data.source == other.data.source == "flickr8k:photos"
    assert config.model.to_dict() == other.model.to_dict()
    assert named_config("flickr8k_scst").data.source == named_config("flickr8k").data.source
