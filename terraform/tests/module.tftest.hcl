mock_provider "aws" {
  override_data {
    target = data.aws_s3_bucket.packages
    values = { bucket_regional_domain_name = "packages.s3.eu-west-1.amazonaws.com" }
  }
}

variables {
  template_file = "main.tf" # any file: only its text is uploaded
  bucket        = "packages"
  parameters    = { AlertEmail = "security@example.com" }
}

run "deploys_the_template_from_the_bucket" {
  assert {
    condition     = startswith(aws_cloudformation_stack.posture.template_url, "https://packages.s3.eu-west-1.amazonaws.com/posture/")
    error_message = "CloudFormation must read the template from the bucket."
  }
  assert {
    condition     = aws_cloudformation_stack.posture.parameters["AlertEmail"] == "security@example.com"
    error_message = "The parameters must reach the stack."
  }
  assert {
    condition     = contains(aws_cloudformation_stack.posture.capabilities, "CAPABILITY_AUTO_EXPAND")
    error_message = "The template has a transform."
  }
}

run "reads_the_shared_network_only_if_asked_to" {
  assert {
    condition     = !contains(keys(aws_cloudformation_stack.posture.parameters), "SharedNetwork")
    error_message = "The template's default must hold."
  }
}

run "reads_the_shared_network" {
  variables {
    shared_network = true
  }
  assert {
    condition     = aws_cloudformation_stack.posture.parameters["SharedNetwork"] == "on"
    error_message = "The variable must reach the stack."
  }
  assert {
    condition     = aws_cloudformation_stack.posture.parameters["AlertEmail"] == "security@example.com"
    error_message = "The other parameters must stay."
  }
}

run "rejects_a_shared_network_that_is_on_and_off" {
  command = plan
  variables {
    shared_network = true
    parameters     = { SharedNetwork = "off" }
  }
  expect_failures = [aws_cloudformation_stack.posture]
}

run "keeps_members_in_step_with_an_organization" {
  variables {
    organization = {
      id          = "o-exampleorgid"
      external_id = "an-external-id"
      parents     = ["ou-abcd-11111111", "ou-abcd-22222222"]
    }
  }
  assert {
    condition     = aws_cloudformation_stack.posture.parameters["MembersFrom"] == "organization"
    error_message = "The list must come from the organization."
  }
  assert {
    condition     = aws_cloudformation_stack.posture.parameters["MemberParents"] == "ou-abcd-11111111,ou-abcd-22222222"
    error_message = "The units must be separated by commas."
  }
}

run "rejects_members_that_are_listed_twice" {
  command = plan
  variables {
    organization = { id = "o-exampleorgid", external_id = "an-external-id" }
    parameters   = { MembersFrom = "table" }
  }
  expect_failures = [aws_cloudformation_stack.posture]
}

run "rejects_a_name_that_cloudformation_shortens" {
  command = plan
  variables {
    stack_name = "posture-of-the-security-eu" # 26 characters
  }
  expect_failures = [var.stack_name]
}
