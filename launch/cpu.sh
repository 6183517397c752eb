#!/usr/bin/env bash
# One machine without an accelerator: bash launch/cpu.sh --config=configs/shapes.py --workdir=runs/a
set -euo pipefail
cd "$(dirname "$0")/.."
bash launch/venv.sh pretrained

export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$HOME/.cache/jaxcap}"
# What a step worked in stays with the program, in large pages: glibc would give it back each time,
# and the next step fetch gigabytes anew, 4 KiB at a time.
export GLIBC_TUNABLES="${GLIBC_TUNABLES-glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1000000000000}"

exec .venv/bin/python -m jaxcap.main "$@"
