"""The package as it is installed from a wheel: with its configs, and nothing of the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIGS = {file.name for file in (ROOT / "configs").glob("*.py")}


def run(*command, **options):
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built by way of the source distribution, as `python -m build` does."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT))
    assert [file.suffix for file in sorted(out.iterdir())] == [".whl", ".gz"]
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """(the folder that it was installed to, the environment of a program that finds it there)."""
    target = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(wheel))
    return target, {**os.environ, "PYTHONPATH": str(target), "JAX_PLATFORMS": "cpu"}


def test_configs_lie_inside_the_package_and_nothing_lies_beside_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"jaxcap"}
    assert {Path(name).name for name in names if name.startswith("jaxcap/configs/")} == CONFIGS


def test_it_is_built_alike_from_the_checkout(wheel, tmp_path):
    command = (sys.executable, "-m", "build", "--no-isolation", "--wheel")
    run(*command, "--outdir", str(tmp_path), str(ROOT))
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_command_finds_its_configs_from_any_folder(installed, tmp_path):
    target, env = installed
    listed = run(
        sys.executable, str(target / "bin" / "jaxcap"), "train", "--list", cwd=tmp_path, env=env
    )
    assert {f"{row.split()[0]}.py" for row in listed.splitlines()} == CONFIGS


def test_a_config_of_another_is_found_beside_it(installed, tmp_path):
    target, env = installed
    code = (
        "import jaxcap; from jaxcap.named_config import located, named_config;"
        "print(jaxcap.__file__, located('configs/coco.py:L'));"
        "print(named_config('flickr8k_scst:photos').data.source)"
    )
    told = run(sys.executable, "-c", code, cwd=tmp_path, env=env).split()
    package = target / "jaxcap"
    expected = [package / "__init__.py", f"{package / 'configs' / 'coco.py'}:L", "flickr8k:photos"]
    assert told == list(map(str, expected))
