"""python -m jaxcap.main --config=NAME[:arg] --workdir=RUN [--mode=...] [--config.field=value]."""

import re
import sys
from collections.abc import Sequence

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags.config_flags import ConfigFileFlagParser

from jaxcap.errors import UserError
from jaxcap.named_config import located

MODES = ("train", "eval", "encode", "compile")


class _Named(ConfigFileFlagParser):
    """Files of configs are found by their names, too."""

    def parse(self, path: str) -> ConfigDict:
        return super().parse(located(path))


_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment: shapes:long, or a file.")
flags.FLAGS["config"].parser = _Named("config")
_WORKDIR = flags.DEFINE_string("workdir", None, "The run directory.")
_MODE = flags.DEFINE_enum("mode", "train", MODES, "What to do with the run.")
_TOPOLOGY = flags.DEFINE_string("topology", None, "Chips to compile for, such as v5e:4x4.")
_WHAT = flags.DEFINE_string("what", "train", "What to compile: train or caption.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Join the other processes, which JAX finds.")
_COORDINATOR = flags.DEFINE_string("coordinator", "", "HOST:PORT of process 0, to join by hand.")
_PROCESSES = flags.DEFINE_integer("processes", 0, "How many there are, to join by hand.")
_PROCESS = flags.DEFINE_integer("process", -1, "Which of them this is, from 0.")


def run(argv: Sequence[str]) -> int | None:
    """Do what the flags say; returns the exit status, if that is not 0."""
    if len(argv) > 1:
        raise UserError(f"Unexpected argument {argv[1]!r}; flags begin with --.")
    config, workdir, topology = _CONFIG.value, _WORKDIR.value, _TOPOLOGY.value
    if _MODE.value == "compile":
        if config is None or topology is None:
            raise UserError("--mode=compile needs --config, and --topology such as v5e:16x16.")
        from jaxcap.ahead.report import compile_ahead

        compile_ahead(config, topology, _WHAT.value)
        return None
    if config is None or workdir is None:
        raise UserError(
            "Both --config and --workdir are needed, for example: python -m jaxcap.main "
            "--config=configs/shapes.py --workdir=runs/shapes"
        )
    from jaxcap import hosts, modes  # jax takes seconds to import: not before the flags are right

    others = (_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    if _DISTRIBUTED.value or others != ("", 0, -1):
        hosts.join(*others)
    return modes.MODES[_MODE.value](config, workdir)


def main() -> None:
    """The entry point: a user's mistake is one message, not a traceback."""
    logging.set_verbosity(logging.ERROR)
    try:
        app.run(run, flags_parser=flags.FLAGS)
    except (UserError, flags.Error) as error:
        sys.exit(_say(str(error)))
    except OSError as error:
        if _is_config_error(error):
            sys.exit(_say(f"The config cannot be read: {str(error).splitlines()[-1].strip()}"))
        if error.filename is None:
            raise
        sys.exit(_say(f"{error.filename}: {error.strerror}."))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if not _is_config_error(error):
            raise
        sys.exit(_say(_unquoted(str(error))))


def _is_config_error(error: BaseException) -> bool:
    """Whether it was raised while the config was read or overridden (ml_collections)."""
    trace, files = error.__traceback__, []
    while trace is not None:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return "ml_collections" in files[-1]


def _unquoted(text: str) -> str:
    """One line of a KeyError's text, which Python quotes and escapes."""
    if text[:1] in ("'", '"'):
        text = text[1:-1].replace("\\n", " ").replace("\\'", "'")
    if text.strip("'").isidentifier():
        text = (
            f"no field {text} to set from the command line. A setting of a model's part that the "
            "config file leaves out is added in that file."
        )
    text = re.sub(r'Other fields present: ".*?"\s*(?=Did|$)', "", text, flags=re.DOTALL)
    return "config: " + " ".join(text.split())


def _say(message: str) -> int:
    print(f"jaxcap: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
