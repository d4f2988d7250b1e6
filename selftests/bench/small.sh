#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# small.sh [PART...]   all.sh with little to do, once: do all benchmarks still work? What they
# tell, in build/bench-small, is worth nothing.

set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd -P)

export BENCH_OUT=$HERE/../../build/bench-small RUNS=1
export LATENCY_RUNS=2 LATENCY_THREADS='1 10' LATENCY_PROCESSES=10
export PAUSE_4K='16 32' PAUSE_THP=16 PAUSE_WRITERS=16
export RESUME_DIRTY='1 16' RESUME_THP=16 RESUME_CLEAN='1 16'
export DUMP_4K='8 16' DUMP_ZEROS=16 DUMP_SPARSE=16
export SCALE_THREADS='1 10' SCALE_PROCESSES='1 5' SCALE_VMAS='10 100' SCALE_FDS='10 100'
export SCALE_MEMORY='8 32' SCALE_RESERVED='0 64'
export OBJECTS_SIZES='5/0 5/10 5/50' STAT_MIB=8 STAT_BUSY_MS=100
export PERIODIC_MIB=8 PERIODIC_MS='1000 2000' XZ_KIB=1024
exec "$HERE/all.sh" "$@"
