locals {
  spokes = { blue = "10.1.0.0/16", green = "10.2.0.0/16" }
}

resource "aws_ec2_transit_gateway" "hub" {
  description = "hub"
}

resource "aws_vpc" "hub" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_subnet" "hub" {
  vpc_id            = aws_vpc.hub.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = "eu-west-1a"
}

resource "aws_vpc" "spoke" {
  for_each             = local.spokes
  cidr_block           = each.value
  enable_dns_hostnames = true
}

resource "aws_subnet" "spoke" {
  for_each          = local.spokes
  vpc_id            = aws_vpc.spoke[each.key].id
  cidr_block        = cidrsubnet(each.value, 8, 1)
  availability_zone = "eu-west-1a"
}

resource "aws_route_table" "spoke" {
  for_each = local.spokes
  vpc_id   = aws_vpc.spoke[each.key].id
}

resource "aws_route_table_association" "spoke" {
  for_each       = local.spokes
  subnet_id      = aws_subnet.spoke[each.key].id
  route_table_id = aws_route_table.spoke[each.key].id
}

resource "aws_ec2_transit_gateway_vpc_attachment" "hub" {
  transit_gateway_id = aws_ec2_transit_gateway.hub.id
  vpc_id             = aws_vpc.hub.id
  subnet_ids         = [aws_subnet.hub.id]
}

resource "aws_ec2_transit_gateway_vpc_attachment" "spoke" {
  for_each           = local.spokes
  transit_gateway_id = aws_ec2_transit_gateway.hub.id
  vpc_id             = aws_vpc.spoke[each.key].id
  subnet_ids         = [aws_subnet.spoke[each.key].id]
}

resource "aws_route" "to_hub" {
  for_each               = local.spokes
  route_table_id         = aws_route_table.spoke[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  transit_gateway_id     = aws_ec2_transit_gateway.hub.id
}

resource "aws_security_group" "endpoints" {
  name   = "endpoints"
  vpc_id = aws_vpc.hub.id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}

resource "aws_vpc_endpoint" "kms" {
  vpc_id              = aws_vpc.hub.id
  service_name        = "com.amazonaws.eu-west-1.kms"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [aws_subnet.hub.id]
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true
}
