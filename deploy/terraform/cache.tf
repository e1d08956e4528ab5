# The two caches of the contract. What they hold can be built again from the engine's state, so they keep no disk.

locals {
  cache_port = 6379
  caches = {
    depth  = "Depth, tickers, candles, connections"
    backup = "Snapshots and the previous day"
  }
}

resource "aws_elasticache_subnet_group" "main" {
  name       = "supernoba"
  subnet_ids = [for subnet in aws_subnet.data : subnet.id]
}

resource "aws_elasticache_parameter_group" "main" {
  name   = "supernoba"
  family = "valkey8"

  # Keys that run out may go when memory is short, others never: a full cache refuses writes and raises an alarm.
  parameter {
    name  = "maxmemory-policy"
    value = "volatile-ttl"
  }

  # The streamer is told of changed subscriptions.
  parameter {
    name  = "notify-keyspace-events"
    value = "Kg$sx"
  }
}

resource "aws_security_group" "caches" {
  name        = "supernoba-caches"
  description = "Both caches"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "caches" {
  for_each = aws_security_group.node

  security_group_id            = aws_security_group.caches.id
  referenced_security_group_id = each.value.id
  ip_protocol                  = "tcp"
  from_port                    = local.cache_port
  to_port                      = local.cache_port
}

resource "aws_elasticache_replication_group" "main" {
  for_each = local.caches

  replication_group_id       = "supernoba-${each.key}"
  description                = each.value
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.cache_node_type
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  port                       = local.cache_port
  parameter_group_name       = aws_elasticache_parameter_group.main.name
  subnet_group_name          = aws_elasticache_subnet_group.main.name
  security_group_ids         = [aws_security_group.caches.id]
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token                 = data.aws_secretsmanager_secret_version.cache.secret_string
  # Both the old and the new one hold until the runbook's last step.
  auth_token_update_strategy = "ROTATE"
  snapshot_retention_limit   = 0
  maintenance_window         = "sun:18:00-sun:19:00"
  apply_immediately          = false
}
