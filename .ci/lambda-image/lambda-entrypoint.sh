#!/bin/sh
# The entry point of Lambda's images: the argument is the handler. Without a runtime API in the
# environment, the runtime interface emulator starts first.
export _HANDLER="$1"
if [ -n "$AWS_LAMBDA_RUNTIME_API" ]; then
  exec /var/runtime/bootstrap
fi
exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
