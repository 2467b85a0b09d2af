#!/bin/sh
# Prints the path of a Python that has PyTorch: the one at hand if it has, else one of an environment
# in the user's cache, made at the first call (a download of some gigabytes).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for python in "${PYTHON:-python3}" python; do
    if "$python" -c 'import torch, safetensors' 2>/dev/null; then
        command -v "$python"
        exit
    fi
done
environment=${XDG_CACHE_HOME:-$HOME/.cache}/activation-lab/torch
if ! "$environment/bin/python" -c 'import torch, safetensors' 2>/dev/null; then
    "${PYTHON:-python3}" -m venv "$environment" >&2
    "$environment/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
fi
echo "$environment/bin/python"
