#!/bin/sh
# Makes the peers' environments, .venv-flower, .venv-pfl and .venv-byzfl, in the project root: install.sh [flower] [pfl] [byzfl]
set -eu
here=$(dirname "$0")
root=$here/../..
for peer in ${*:-flower pfl byzfl}; do
    "${PYTHON:-python3}" -m venv "$root/.venv-$peer"
    "$root/.venv-$peer/bin/python" -m pip install --quiet --requirement "$here/requirements-$peer.txt"
    # ByzFL asks for torchvision, which its rules do not use and which has no build for the CPU everywhere.
    [ "$peer" != byzfl ] || "$root/.venv-byzfl/bin/python" -m pip install --quiet --no-deps byzfl==0.0.11
    "$root/.venv-$peer/bin/python" - "$peer" <<'CHECK'
import sys
import torch

print(f".venv-{sys.argv[1]}: torch {torch.__version__}")
if torch.version.cuda:
    print("This is a CUDA build: larger than need be; the benchmark runs on the CPU all the same.")
CHECK
done
