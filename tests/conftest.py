"""What every suite shares."""

import os

from hypothesis import settings

# No test starts an instance, and parsing moto's images takes most of making an emulated region.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# How long an example takes is for benchmarks to say: a busy machine must fail no test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
