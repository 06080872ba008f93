"""`posture policy`: decides, compares and generates endpoint policies."""

from posture_cli.command import CommandGroup
from posture_cli.commands.policy import check, diff, features, generate

app = CommandGroup(
    "What endpoint policies allow: check one, compare two, or generate the least one that the "
    "features you name need. Every answer is proven or unknown, never a guess. No AWS credentials "
    "are needed, unless you name a VPC to read."
)
for each in (check, diff, generate, features):
    each.register(app)
