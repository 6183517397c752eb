#!/usr/bin/env bash
# One machine with one or more GPUs: bash launch/gpu.sh --config=configs/coco.py --workdir=runs/coco
set -euo pipefail
cd "$(dirname "$0")/.."
bash launch/venv.sh gpu,pretrained

# Compiled programs are kept between starts; all of the GPU's memory but a little is JAX's.
export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$HOME/.cache/jaxcap}"
export XLA_PYTHON_CLIENT_MEM_FRACTION="${XLA_PYTHON_CLIENT_MEM_FRACTION:-0.92}"

exec .venv/bin/python -m jaxcap.main "$@"
