# The trade history. Its password is made, kept and rotated by RDS itself: nobody ever sees it, and no state holds it.

locals {
  database_port = 5432
  # The one that every server begins with (the contract's DB_NAME).
  database_name = "postgres"
}

resource "aws_db_subnet_group" "main" {
  name       = "supernoba"
  subnet_ids = [for subnet in aws_subnet.data : subnet.id]
}

resource "aws_security_group" "database" {
  name        = "supernoba-database"
  description = "The trade history"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.node["gateway"].id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
}

resource "aws_db_parameter_group" "main" {
  name   = "supernoba-postgres17"
  family = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "500"
  }
}

resource "aws_db_instance" "history" {
  identifier                            = "supernoba-history"
  engine                                = "postgres"
  engine_version                        = "17"
  instance_class                        = var.database_class
  username                              = "supernoba"
  manage_master_user_password           = true
  allocated_storage                     = var.database_storage_gb
  max_allocated_storage                 = var.database_storage_gb * 8
  storage_type                          = "gp3"
  storage_encrypted                     = true
  multi_az                              = true
  port                                  = local.database_port
  db_subnet_group_name                  = aws_db_subnet_group.main.name
  vpc_security_group_ids                = [aws_security_group.database.id]
  parameter_group_name                  = aws_db_parameter_group.main.name
  publicly_accessible                   = false
  auto_minor_version_upgrade            = true
  backup_retention_period               = 14
  backup_window                         = "17:00-17:30"
  maintenance_window                    = "sun:18:00-sun:19:00"
  copy_tags_to_snapshot                 = true
  deletion_protection                   = true
  skip_final_snapshot                   = false
  final_snapshot_identifier             = "supernoba-history-final"
  performance_insights_enabled          = true
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_secretsmanager_secret_rotation" "database" {
  secret_id = aws_db_instance.history.master_user_secret[0].secret_arn

  rotation_rules {
    automatically_after_days = 30
  }
}
