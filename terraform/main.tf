# VPC Endpoint Posture as a Terraform module: it deploys the packaged template as a CloudFormation
# stack, so that there is one definition of the resources. See README.md in this folder.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

locals {
  template       = file(var.template_file)
  shared_network = var.shared_network ? { SharedNetwork = "on" } : {}
  organization = var.organization == null ? {} : {
    MembersFrom         = "organization"
    OrganizationId      = var.organization.id
    MemberExternalId    = var.organization.external_id
    MemberParents       = join(",", var.organization.parents)
    OrganizationRoleArn = var.organization.role_arn
  }
}

# CloudFormation takes a template of this size from S3 only.
resource "aws_s3_object" "template" {
  bucket                 = var.bucket
  key                    = "${var.stack_name}/${sha256(local.template)}.yaml"
  content                = local.template
  content_type           = "application/yaml"
  server_side_encryption = "aws:kms"
  tags                   = var.tags
}

resource "aws_cloudformation_stack" "posture" {
  name         = var.stack_name
  template_url = "https://${data.aws_s3_bucket.packages.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  parameters   = merge(local.shared_network, local.organization, var.parameters)
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  tags         = var.tags

  lifecycle {
    precondition {
      condition     = !var.shared_network || lookup(var.parameters, "SharedNetwork", "on") == "on"
      error_message = "shared_network is true, but parameters has another SharedNetwork: remove one of them."
    }
    precondition {
      condition     = length(setintersection(keys(local.organization), keys(var.parameters))) == 0
      error_message = "organization is set, but parameters names MembersFrom or another parameter of it: remove one of them."
    }
  }
}

data "aws_s3_bucket" "packages" {
  bucket = var.bucket
}
