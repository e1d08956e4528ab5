# Engines, gateways and streamers: one image, one archive, three roles. A node keeps nothing that is not elsewhere too.

locals {
  gateway_port = 8080
  grpc_port    = 50051

  shared_environment = {
    AWS_REGION         = var.region
    LOG_LEVEL          = "INFO"
    WEBSOCKET_ENDPOINT = "https://${aws_apigatewayv2_api.socket.id}.execute-api.${var.region}.amazonaws.com/${local.stage}"

    SUPERNOBA_BUCKETS__BACKUPS = aws_s3_bucket.main["backups"].id
  }
  depth_cache  = aws_elasticache_replication_group.main["depth"].primary_endpoint_address
  backup_cache = aws_elasticache_replication_group.main["backup"].primary_endpoint_address

  engine_environment = {
    KINESIS_ORDERS_STREAM = aws_kinesis_stream.main["orders"].name
    KINESIS_FILLS_STREAM  = aws_kinesis_stream.main["fills"].name
    REDIS_HOST            = local.backup_cache
    REDIS_PORT            = tostring(local.cache_port)
    DEPTH_CACHE_HOST      = local.depth_cache
    DEPTH_CACHE_PORT      = tostring(local.cache_port)
  }

  node_environment = {
    engine = merge(local.shared_environment, local.engine_environment, {
      GRPC_PORT = tostring(local.grpc_port)
    })
    gateway = merge(local.shared_environment, local.engine_environment, local.settings.test_mode, local.settings.day, {
      VALKEY_HOST   = local.depth_cache
      VALKEY_PORT   = tostring(local.cache_port)
      SUPABASE_URL  = var.supabase_url
      ORDERS_TABLE  = aws_dynamodb_table.main["orders"].name
      DB_SECRET_ARN = aws_db_instance.history.master_user_secret[0].secret_arn
      RDS_ENDPOINT  = aws_db_instance.history.address
      DB_NAME       = local.database_name
    })
    streamer = merge(local.shared_environment, {
      VALKEY_HOST = local.depth_cache
      VALKEY_PORT = tostring(local.cache_port)
      DEBUG_MODE  = "false"
    })
  }
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

resource "aws_cloudwatch_log_group" "node" {
  for_each = var.nodes

  name              = "/supernoba/node/${each.key}"
  retention_in_days = var.log_days
}

resource "aws_launch_template" "node" {
  for_each = var.nodes

  name                   = "supernoba-${each.key}"
  image_id               = data.aws_ssm_parameter.image.insecure_value
  instance_type          = each.value.type
  vpc_security_group_ids = [aws_security_group.node[each.key].id]
  update_default_version = true

  user_data = base64encode(templatefile("${path.module}/start.sh.tftpl", {
    role        = each.key
    region      = var.region
    bucket      = aws_s3_bucket.main["artifacts"].id
    release     = var.release
    sha256      = var.release_sha256
    log_group   = aws_cloudwatch_log_group.node[each.key].name
    environment = local.node_environment[each.key]
    secrets     = { for variable, secret in local.node_secrets[each.key] : variable => aws_secretsmanager_secret.main[secret].arn }
  }))

  iam_instance_profile {
    arn = aws_iam_instance_profile.node[each.key].arn
  }

  # Sessions only, and not through a hop: a request that a node is tricked into cannot read the role's keys.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = 20
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "supernoba-${each.key}" }
  }
}

resource "aws_autoscaling_group" "node" {
  for_each = var.nodes

  name                      = "supernoba-${each.key}"
  min_size                  = each.value.min
  max_size                  = each.value.max
  vpc_zone_identifier       = [for subnet in aws_subnet.nodes : subnet.id]
  health_check_type         = each.key == "gateway" ? "ELB" : "EC2"
  health_check_grace_period = 180
  default_instance_warmup   = 120
  target_group_arns         = each.key == "gateway" ? [aws_lb_target_group.gateway.arn] : []
  enabled_metrics           = ["GroupInServiceInstances", "GroupDesiredCapacity"]
  termination_policies      = ["OldestLaunchTemplate", "OldestInstance"]

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  # An upgrade: the new one is there before the old one goes.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 150
      instance_warmup        = 120
      auto_rollback          = true
    }
  }

  tag {
    key                 = "Role"
    value               = each.key
    propagate_at_launch = true
  }

  lifecycle {
    # Scaling changes it.
    ignore_changes = [desired_capacity]
  }

  depends_on = [aws_iam_role_policy.node, aws_secretsmanager_secret_version.made]
}

# Engines are not scaled by load: their number follows the shards (docs/scale.md).
resource "aws_autoscaling_policy" "load" {
  for_each = { for role, node in var.nodes : role => node if role != "engine" }

  name                   = "supernoba-${each.key}-load"
  autoscaling_group_name = aws_autoscaling_group.node[each.key].name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 50

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

resource "aws_lb" "main" {
  name                             = "supernoba"
  load_balancer_type               = "network"
  internal                         = false
  subnets                          = [for subnet in aws_subnet.public : subnet.id]
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = true
}

resource "aws_lb_target_group" "gateway" {
  name                   = "supernoba-gateway"
  vpc_id                 = aws_vpc.main.id
  protocol               = "TCP"
  port                   = local.gateway_port
  deregistration_delay   = 120
  connection_termination = true # What is still connected then is told, and comes back elsewhere by sequence.

  health_check {
    protocol            = "HTTP"
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "tls" {
  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "TLS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }
}
