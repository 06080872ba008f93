variable "template_file" {
  description = "The path of shared-events.yaml."
  type        = string
}

variable "monitor_account_id" {
  description = "The account of the central stack."
  type        = string
}

variable "monitor_region" {
  description = "The region of the central stack."
  type        = string
}

variable "monitor_stack_name" {
  description = "The name of the central stack."
  type        = string
  default     = "posture"
}

variable "permissions_boundary_arn" {
  description = "The permissions boundary of the role."
  type        = string
  default     = ""
}

variable "role_path" {
  description = "The path of the role."
  type        = string
  default     = "/"
}

variable "stack_name" {
  description = "The name of the CloudFormation stack."
  type        = string
  default     = "posture-events"
}

variable "tags" {
  description = "Tags of the stack and of its resources."
  type        = map(string)
  default     = {}
}
