"""What every suite shares."""

from hypothesis import settings

# How long an example takes is for benchmarks to say: a busy machine must fail no test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
