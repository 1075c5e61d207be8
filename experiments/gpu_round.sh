#!/usr/bin/env bash
# Train the model that ships on a machine with a GPU that has Python with torch, but neither Rust nor a network.
#
#   gpu_round.sh GGPFN DATA STATE MINUTES [DEVICE] [CASES]
#
# GGPFN is a release program that was built elsewhere against the same version of libtorch; libtorch is taken from Python's torch.
# DATA is the folder with label maps and real images. STATE is what is carried from one call to the next: each view's run without its
# data, with a checkpoint of 14 MB; the model of all views lies beside it as STATE.safetensors. A call paints the CTs (the same seeds
# give the same CTs), goes on from STATE, trains for MINUTES in pieces of at most ten, and writes STATE anew after each piece.
# DEVICE is cuda unless named; CASES paints fewer CTs, for a trial.
set -euo pipefail
if [ $# -lt 4 ]; then
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 2
fi
ggpfn=$(realpath "$1") data=$(realpath "$2") state=$3 minutes=$4 device=${5:-cuda} cases=${6:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${GGPFN_WORK:-$(mktemp -d)}
mkdir -p "$state"
torch=$(python3 -c 'import importlib.util, os; print(os.path.dirname(importlib.util.find_spec("torch").origin))')
export LD_LIBRARY_PATH="$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
"$ggpfn" doctor

python3 "$here/shipped.py" prepare "$data" "$ggpfn" "$work" ${cases:+--cases "$cases"}
for view in axial sagittal coronal; do
    if [ -d "$state/$view" ] && [ ! -d "$work/$view" ]; then
        cp -r "$state/$view" "$work/$view"
    fi
done

end=$(($(date +%s) + minutes * 60))
while left=$(((end - $(date +%s)) / 60)) && [ "$left" -gt 0 ]; do
    python3 "$here/shipped.py" train "$ggpfn" "$work" --device "$device" --minutes $((left < 10 ? left : 10))
    for view in axial sagittal coronal; do
        if [ -d "$work/$view" ]; then
            rm -rf "$state/$view.new"
            cp -r "$work/$view" "$state/$view.new"
            # The checkpoint holds the weights too: what is carried stays below 64 MB, the program included.
            rm -rf "$state/$view" "$state/$view.new/model.safetensors"
            mv "$state/$view.new" "$state/$view"
        fi
    done
    if [ -f "$work/trained.safetensors" ]; then
        cp "$work/trained.safetensors" "${state%/}.safetensors"
    fi
    find "$state" -name '*.safetensors' -size +16M -exec echo "larger than 16 MB: {}" \;
    if [ -f "$work/axial/done" ] && [ -f "$work/sagittal/done" ] && [ -f "$work/coronal/done" ]; then
        break
    fi
done
du -sh "$state"
