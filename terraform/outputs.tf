output "outputs" {
  description = "The outputs of the stack by name, such as AlertTopicArn."
  value       = aws_cloudformation_stack.posture.outputs
}

output "shared_bus_arn" {
  description = "The event bus for events about the shared network; null if shared_network is false."
  value       = lookup(aws_cloudformation_stack.posture.outputs, "SharedBusArn", null)
}

output "stack_id" {
  description = "The ARN of the CloudFormation stack."
  value       = aws_cloudformation_stack.posture.id
}
