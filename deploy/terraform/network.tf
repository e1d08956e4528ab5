# Three layers in each zone: what the world reaches (balancer, NAT), nodes, and data, which has no way out.

locals {
  zone_numbers = { for number, zone in var.zones : zone => number }
}

resource "aws_vpc" "main" {
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = "supernoba" }
}

# Nothing may use the default group: it allows all between its members.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "public" {
  for_each = local.zone_numbers

  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, each.value)

  tags = { Name = "supernoba-public-${each.key}" }
}

resource "aws_subnet" "nodes" {
  for_each = local.zone_numbers

  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, each.value + 1)

  tags = { Name = "supernoba-nodes-${each.key}" }
}

resource "aws_subnet" "data" {
  for_each = local.zone_numbers

  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, each.value + 8)

  tags = { Name = "supernoba-data-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "supernoba-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

# One a zone: the loss of a zone must not cut the others off from Kinesis.
resource "aws_eip" "nat" {
  for_each = local.zone_numbers

  domain = "vpc"
}

resource "aws_nat_gateway" "main" {
  for_each = local.zone_numbers

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route_table" "nodes" {
  for_each = local.zone_numbers

  vpc_id = aws_vpc.main.id

  tags = { Name = "supernoba-nodes-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.zone_numbers

  route_table_id         = aws_route_table.nodes[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[each.key].id
}

resource "aws_route_table_association" "nodes" {
  for_each = local.zone_numbers

  subnet_id      = aws_subnet.nodes[each.key].id
  route_table_id = aws_route_table.nodes[each.key].id
}

# Tables, objects, streams and secrets are reached without leaving AWS' network: cheaper than NAT, and one part fewer that can fail.
resource "aws_vpc_endpoint" "tables_and_objects" {
  for_each = toset(["dynamodb", "s3"])

  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for table in aws_route_table.nodes : table.id]
}

resource "aws_vpc_endpoint" "services" {
  for_each = toset(["kinesis-streams", "secretsmanager", "logs"])

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.nodes : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]
}

resource "aws_security_group" "endpoints" {
  name        = "supernoba-endpoints"
  description = "AWS services inside the network"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = aws_security_group.node

  security_group_id            = aws_security_group.endpoints.id
  referenced_security_group_id = each.value.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_security_group" "balancer" {
  name        = "supernoba-balancer"
  description = "What the world reaches"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "world" {
  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.node["gateway"].id
  ip_protocol                  = "tcp"
  from_port                    = local.gateway_port
  to_port                      = local.gateway_port
}

resource "aws_security_group" "node" {
  for_each = var.nodes

  name        = "supernoba-${each.key}"
  description = "Nodes with the role ${each.key}"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_egress_rule" "node" {
  for_each = aws_security_group.node

  security_group_id = each.value.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "node_caches" {
  for_each = aws_security_group.node

  security_group_id            = each.value.id
  referenced_security_group_id = aws_security_group.caches.id
  ip_protocol                  = "tcp"
  from_port                    = local.cache_port
  to_port                      = local.cache_port
}

resource "aws_vpc_security_group_egress_rule" "gateway_database" {
  security_group_id            = aws_security_group.node["gateway"].id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  security_group_id            = aws_security_group.node["gateway"].id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.gateway_port
  to_port                      = local.gateway_port
}

# Snapshots on demand: an operator on a gateway node calls the engines' gRPC service.
resource "aws_vpc_security_group_ingress_rule" "engine_grpc" {
  security_group_id            = aws_security_group.node["engine"].id
  referenced_security_group_id = aws_security_group.node["gateway"].id
  ip_protocol                  = "tcp"
  from_port                    = local.grpc_port
  to_port                      = local.grpc_port
}

resource "aws_vpc_security_group_egress_rule" "gateway_grpc" {
  security_group_id            = aws_security_group.node["gateway"].id
  referenced_security_group_id = aws_security_group.node["engine"].id
  ip_protocol                  = "tcp"
  from_port                    = local.grpc_port
  to_port                      = local.grpc_port
}
