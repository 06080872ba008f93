# Forwards Route 53's events from us-east-1, and Network Manager's from us-west-2, to a stack in another
# region that reads the shared network: one module for each of both regions, with a provider for it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

resource "aws_cloudformation_stack" "events" {
  name          = var.stack_name
  template_body = file(var.template_file)
  parameters = {
    MonitorAccountId       = var.monitor_account_id
    MonitorRegion          = var.monitor_region
    MonitorStackName       = var.monitor_stack_name
    PermissionsBoundaryArn = var.permissions_boundary_arn
    RolePath               = var.role_path
  }
  capabilities = ["CAPABILITY_IAM"]
  tags         = var.tags
}
