"""Send events to Cloud Custodian's Lambda handler; runs in its virtual environment.

Reads JSON from standard input: `policies` (its config.json) and `events`; prints what the handler
returned for each.
"""

import json
import os
import sys
import tempfile

request = json.load(sys.stdin)
folder = tempfile.mkdtemp()
os.chdir(folder)
with open("config.json", "w", encoding="utf-8") as file:  # noqa: PTH123 - its handler reads it there
    json.dump(request["policies"], file)
os.environ["C7N_OUTPUT_DIR"] = folder
os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "custodian"

from c7n import handler  # noqa: E402 - it reads the environment when imported
from c7n.resources import load_resources  # noqa: E402

load_resources(("aws.vpc-endpoint",))
for event in request["events"]:
    try:
        returned = repr(handler.dispatch_event(event, None))
    except Exception as error:  # noqa: BLE001 - an exception is an answer, too
        returned = f"raised {type(error).__name__}: {error}"
    print(json.dumps({"returned": returned}))
