# What wakes somebody, and what the runbook says to it (the description ends with the section's name).

locals {
  alarms = merge(
    { for key, stream in local.streams : "${key}-write-throttled" => {
      what = "Writes to ${stream.name} are throttled. Runbook: hot shard"
      of   = ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", { StreamName = stream.name }]
      by   = ["Sum", ">", 0, 3]
    } },
    {
      engine-behind = {
        what = "Engines are more than a second behind the orders stream. Runbook: engine behind"
        of   = ["AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", { StreamName = local.streams.orders.name, ConsumerName = aws_kinesis_stream_consumer.engine.name }]
        by   = ["Maximum", ">", 1000, 2]
      }
      fan-out-silent = {
        what = "No engine reads the orders stream. Runbook: engine behind"
        of   = ["AWS/Kinesis", "SubscribeToShard.Success", { StreamName = local.streams.orders.name, ConsumerName = aws_kinesis_stream_consumer.engine.name }]
        by   = ["Sum", "<", 1, 10]
        gap  = "breaching"
      }
      fills-behind = {
        what = "A consumer of the fills is more than a minute behind: money is settled late. Runbook: consumer behind"
        of   = ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", { StreamName = local.streams.fills.name }]
        by   = ["Maximum", ">", 60000, 3]
      }
      dead-letter-stream = {
        what = "A record can never be processed. Runbook: dead letters"
        of   = ["AWS/Kinesis", "IncomingRecords", { StreamName = local.streams.dead-letters.name }]
        by   = ["Sum", ">", 0, 1]
      }
      rest-errors = {
        what = "The REST API answers with 5xx. Runbook: errors at the front door"
        of   = ["AWS/ApiGateway", "5XXError", { ApiName = aws_api_gateway_rest_api.main.name, Stage = local.stage }]
        by   = ["Sum", ">", 10, 3]
      }
      socket-errors = {
        what = "WebSocket routes fail. Runbook: errors at the front door"
        of   = ["AWS/ApiGateway", "IntegrationError", { ApiId = aws_apigatewayv2_api.socket.id, Stage = local.stage }]
        by   = ["Sum", ">", 10, 3]
      }
      gateways-unhealthy = {
        what = "A gateway does not answer its health check. Runbook: errors at the front door"
        of   = ["AWS/NetworkELB", "UnHealthyHostCount", { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = aws_lb_target_group.gateway.arn_suffix }]
        by   = ["Maximum", ">", 0, 5]
      }
      database-space = {
        what = "The trade history has less than 10 GB of disk left. Runbook: database"
        of   = ["AWS/RDS", "FreeStorageSpace", { DBInstanceIdentifier = aws_db_instance.history.identifier }]
        by   = ["Minimum", "<", 10000000000, 3]
      }
      database-load = {
        what = "The trade history's processors are over 80 %. Runbook: database"
        of   = ["AWS/RDS", "CPUUtilization", { DBInstanceIdentifier = aws_db_instance.history.identifier }]
        by   = ["Average", ">", 80, 10]
      }
    },
    { for key, _ in local.caches : "cache-${key}-memory" => {
      what = "The ${key} cache is 80 % full. Runbook: cache"
      of   = ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", { ReplicationGroupId = aws_elasticache_replication_group.main[key].id }]
      by   = ["Maximum", ">", 80, 5]
    } },
    { for key, _ in local.caches : "cache-${key}-load" => {
      what = "The ${key} cache's one thread is over 80 %. Runbook: cache"
      of   = ["AWS/ElastiCache", "EngineCPUUtilization", { ReplicationGroupId = aws_elasticache_replication_group.main[key].id }]
      by   = ["Maximum", ">", 80, 5]
    } },
    { for key, table in local.tables : "table-${key}-throttled" => {
      what = "Requests to ${table.name} are throttled. Runbook: tables"
      of   = ["AWS/DynamoDB", "ThrottledRequests", { TableName = table.name }]
      by   = ["Sum", ">", 0, 5]
    } },
    { for handler, _ in local.functions : "function-${handler}-errors" => {
      what = "The function ${handler} fails. Runbook: functions"
      of   = ["AWS/Lambda", "Errors", { FunctionName = aws_lambda_function.main[handler].function_name }]
      by   = ["Sum", ">", 5, 3]
    } },
    { for handler, _ in local.functions : "function-${handler}-throttled" => {
      what = "The function ${handler} is throttled: the account's concurrency is used up. Runbook: functions"
      of   = ["AWS/Lambda", "Throttles", { FunctionName = aws_lambda_function.main[handler].function_name }]
      by   = ["Sum", ">", 0, 3]
    } },
    { for key, queue in aws_sqs_queue.dead_letters : "dead-letters-${key}" => {
      what = "${key} has dead letters. Runbook: dead letters"
      of   = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName = queue.name }]
      by   = ["Maximum", ">", 0, 1]
    } },
    { for role, node in var.nodes : "nodes-${role}" => {
      what = "Fewer than ${node.min} nodes with the role ${role}. Runbook: lost node"
      of   = ["AWS/AutoScaling", "GroupInServiceInstances", { AutoScalingGroupName = aws_autoscaling_group.node[role].name }]
      by   = ["Minimum", "<", node.min, 10]
      gap  = "breaching"
    } },
  )
}

resource "aws_sns_topic" "alarms" {
  name              = "supernoba-alarms"
  kms_master_key_id = aws_kms_key.alarms.id
}

# CloudWatch may not use AWS' own key of SNS.
resource "aws_kms_key" "alarms" {
  description             = "Alarms on their way"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "mail" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "supernoba-${each.key}"
  alarm_description   = each.value.what
  namespace           = each.value.of[0]
  metric_name         = each.value.of[1]
  dimensions          = each.value.of[2]
  statistic           = each.value.by[0]
  comparison_operator = each.value.by[1] == ">" ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.by[2]
  evaluation_periods  = each.value.by[3]
  period              = 60
  treat_missing_data  = try(each.value.gap, "notBreaching")
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

locals {
  charts = {
    "Orders and fills, records a minute" = [for stream in local.streams : ["AWS/Kinesis", "IncomingRecords", "StreamName", stream.name, { stat = "Sum" }]]
    "Engines behind the orders, ms"      = [["AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", "StreamName", local.streams.orders.name, "ConsumerName", aws_kinesis_stream_consumer.engine.name, { stat = "Maximum" }]]
    "Consumers behind the fills, ms"     = [["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", local.streams.fills.name, { stat = "Maximum" }]]
    "Throttled writes"                   = [for stream in local.streams : ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", stream.name, { stat = "Sum" }]]
    "REST: latency, ms"                  = [for stat in ["p50", "p99"] : ["AWS/ApiGateway", "Latency", "ApiName", aws_api_gateway_rest_api.main.name, "Stage", local.stage, { stat = stat }]]
    "REST: errors"                       = [for metric in ["4XXError", "5XXError"] : ["AWS/ApiGateway", metric, "ApiName", aws_api_gateway_rest_api.main.name, "Stage", local.stage, { stat = "Sum" }]]
    "WebSocket: connects and messages"   = [for metric in ["ConnectCount", "MessageCount"] : ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.socket.id, { stat = "Sum" }]]
    "Functions: errors"                  = [for function in aws_lambda_function.main : ["AWS/Lambda", "Errors", "FunctionName", function.function_name, { stat = "Sum" }]]
    "Functions: p99, ms"                 = [for function in aws_lambda_function.main : ["AWS/Lambda", "Duration", "FunctionName", function.function_name, { stat = "p99" }]]
    "Dead letters"                       = [for queue in aws_sqs_queue.dead_letters : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, { stat = "Maximum" }]]
    "Caches: memory, %"                  = [for cache in aws_elasticache_replication_group.main : ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "ReplicationGroupId", cache.id, { stat = "Maximum" }]]
    "Nodes: processors, %"               = [for group in aws_autoscaling_group.node : ["AWS/EC2", "CPUUtilization", "AutoScalingGroupName", group.name, { stat = "Maximum" }]]
    "Trade history: processors, %"       = [["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", aws_db_instance.history.identifier, { stat = "Average" }]]
    "Connections at the balancer"        = [["AWS/NetworkELB", "ActiveFlowCount", "LoadBalancer", aws_lb.main.arn_suffix, { stat = "Average" }]]
  }
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = "supernoba"
  dashboard_body = jsonencode({
    widgets = [for number, title in keys(local.charts) : {
      type   = "metric"
      x      = number % 3 * 8
      y      = floor(number / 3) * 6
      width  = 8
      height = 6
      properties = {
        title   = title
        region  = var.region
        period  = 60
        metrics = local.charts[title]
      }
    }]
  })
}
