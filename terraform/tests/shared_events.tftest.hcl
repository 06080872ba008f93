mock_provider "aws" {}

run "forwards_the_events_of_global_services" {
  module {
    source = "./shared-events"
  }
  variables {
    template_file      = "../shared-events.yaml"
    monitor_account_id = "111122223333"
    monitor_region     = "eu-west-1"
    role_path          = "/security/"
  }
  assert {
    condition     = aws_cloudformation_stack.events.parameters["RolePath"] == "/security/"
    error_message = "The role must have the path."
  }
  assert {
    condition     = aws_cloudformation_stack.events.parameters["MonitorRegion"] == "eu-west-1"
    error_message = "The events must go to the region of the central stack."
  }
}
