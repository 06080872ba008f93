resource "aws_vpc" "other" {
  cidr_block = "10.5.0.0/16"
}
