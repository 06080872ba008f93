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
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,24}$", var.stack_name))
    error_message = "The stack's name must begin with a letter and have at most 25 letters, digits and hyphens."
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

variable "organization" {
  description = "Whether all accounts of an organization, or of the organizational units in parents, are members; the role is in the account of a delegated administrator, if that is another one."
  type = object({
    id          = string
    external_id = string
    parents     = optional(list(string), [])
    role_arn    = optional(string, "")
  })
  default = null

  validation {
    condition     = var.organization == null || can(regex("^o-[a-z0-9]{10,32}$", var.organization.id))
    error_message = "The organization's id must be o- and 10 to 32 letters and digits."
  }
}

variable "tags" {
  description = "Tags of the stack and of its resources."
  type        = map(string)
  default     = {}
}
