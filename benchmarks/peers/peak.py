"""Run a command; say on standard error how much memory it took at the most."""

import resource
import subprocess
import sys

done = subprocess.run(sys.argv[1:], check=False)  # noqa: S603 - what the benchmark was told
megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
sys.stderr.write(f"\npeak-megabytes:{megabytes}\n")
sys.exit(done.returncode)
