#!/bin/bash
export PYTHONPATH=/tmp/fdev/src:/tmp/fdev/tests:/tmp/fdev
cd /tmp/fdev; exec nice -n 5 /work/wt-fund/.venv/bin/python "$@"
