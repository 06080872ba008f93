"""Run a command; say on standard error what it took: JSON after `took:`.

Wall seconds, seconds of CPU of the command and its children, and megabytes at the most.
"""

import json
import resource
import subprocess
import sys
import time

started = time.perf_counter()
done = subprocess.run(sys.argv[1:], check=False)  # noqa: S603 - what the benchmark was told
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
