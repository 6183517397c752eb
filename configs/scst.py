"""Any run, trained further on CIDEr itself: self-critical training of captions that it draws.

Command   python -m jaxcap.main --config=configs/scst.py:runs/mine --workdir=runs/mine_scst
          The data are those of the run; --config.data.source=... has others
Hardware  what the run needed
Time      a step takes up to three times as long as one of the run
Score     of the run and the data; configs/flickr8k_scst.py has one that was measured

Rennie et al. with the baseline of Luo (see jaxcap.objective.self_critical). The other run must stay
where it is: the config is read from it whenever the command starts.
"""

from ml_collections import ConfigDict

from jaxcap.errors import UserError
from jaxcap.further import self_critical, started_from


def get_config(run: str = "") -> ConfigDict:
    """`run` is the directory of the run."""
    if not run:
        raise UserError("Name a run: --config=configs/scst.py:RUN")
    config = self_critical(started_from(run))
    config.steps = 1000
    return config
