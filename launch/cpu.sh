#!/usr/bin/env bash
# One machine without an accelerator: bash launch/cpu.sh --config=configs/shapes.py --workdir=runs/a
set -euo pipefail
cd "$(dirname "$0")/.."

# A .venv that is there is used as it is, unless a start before this one was cut short in making it.
if [ ! -x .venv/bin/python ] || [ -e .venv/unfinished ]; then
  mkdir -p .venv && touch .venv/unfinished
  python3 -m venv .venv
  .venv/bin/pip install --quiet -e '.[pretrained]'
  rm .venv/unfinished
fi

export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$HOME/.cache/jaxcap}"
# What a step worked in stays with the program, in large pages: glibc would give it back each time,
# and the next step fetch gigabytes anew, 4 KiB at a time.
memory=(hugetlb=1 arena_max=1 mmap_max=0 trim_threshold=1000000000000)
tunables=$(printf ':glibc.malloc.%s' "${memory[@]}")
export GLIBC_TUNABLES="${GLIBC_TUNABLES-${tunables:1}}"

exec .venv/bin/python -m jaxcap.main "$@"
