#!/bin/sh
# As the entry point of Lambda's own images: the handler is the argument; without a runtime API in the
# environment the emulator of it goes first.
export _HANDLER="$1"
if [ -n "$AWS_LAMBDA_RUNTIME_API" ]; then
  exec /var/runtime/bootstrap
fi
exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
