"""The repository's folder; importing this makes the tests' builders and stages importable."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tests" / each) for each in ("stages", "builders")]
