#!/usr/bin/env bash
# A TPU VM, or every worker of a pod slice at once; NAME and ZONE are those of the slice:
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all \
#     --command="bash jaxcap/launch/tpu_vm.sh --config=configs/coco.py --workdir=/mnt/shared/coco"
# The workdir and the data lie where all workers see them: Filestore, or a bucket by gcsfuse.
set -euo pipefail
cd "$(dirname "$0")/.."
bash launch/venv.sh tpu,pretrained

export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$HOME/.cache/jaxcap}"

exec .venv/bin/python -m jaxcap.main --distributed "$@"
