"""Run a command; print JSON after `took:` on standard error.

Wall seconds, CPU seconds of the command and its children, peak memory in MB, and the exit code.
"""

import json
import resource
import subprocess
import sys
import time

started = time.perf_counter()
done = subprocess.run(sys.argv[1:], check=False)  # noqa: S603 - the benchmark's command
wall = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took = {
    "wall": wall,
    "cpu": used.ru_utime + used.ru_stime,
    "megabytes": used.ru_maxrss / 1024,
    "code": done.returncode,
}
sys.stderr.write(f"\ntook:{json.dumps(took)}\n")
sys.exit(done.returncode)
