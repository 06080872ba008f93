variable "template_file" {
  description = "The template that sam package wrote, with the code in the bucket."
  type        = string
}

variable "bucket" {
  description = "The S3 bucket with the packaged code, in the region of the stack."
  type        = string
}

variable "stack_name" {
  description = "The name of the CloudFormation stack."
  type        = string
  default     = "posture"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,48}$", var.stack_name))
    error_message = "The stack's name must begin with a letter and have fewer than 50 letters, digits and hyphens."
  }
}

variable "parameters" {
  description = "Parameters of template.yaml, such as AlertEmail; see docs/operations.md."
  type        = map(string)
  default     = {}
}

variable "shared_network" {
  description = "Whether to read hosted zones, Profiles, transit gateways and so on, which lead to endpoints in other VPCs."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of the stack and of its resources."
  type        = map(string)
  default     = {}
}
