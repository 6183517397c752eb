#!/usr/bin/env bash
# Makes the .venv of this checkout where there is none, with the extras it is told: cpu.sh, gpu.sh and
# tpu_vm.sh begin with it. One that is there is used as it is, unless making it was cut short.
set -euo pipefail

if [ ! -x .venv/bin/python ] || [ -e .venv/unfinished ]; then
  mkdir -p .venv && touch .venv/unfinished
  python3 -m venv .venv
  .venv/bin/pip install --quiet -e ".[$1]"
  rm .venv/unfinished
fi
