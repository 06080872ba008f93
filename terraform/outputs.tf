output "outputs" {
  description = "The outputs of the stack by name, such as AlertTopicArn."
  value       = aws_cloudformation_stack.posture.outputs
}

output "stack_id" {
  description = "The ARN of the CloudFormation stack."
  value       = aws_cloudformation_stack.posture.id
}
