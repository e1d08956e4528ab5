# What starts functions besides requests: the fills stream, and time. The same rules as engine-host/src/event_sources.rs.

locals {
  # Those that tell users what happens begin with what happens from now on.
  consumers = {
    fill-processor = "TRIM_HORIZON"
    history-saver  = "TRIM_HORIZON"
    notifier       = "LATEST"
    user-notify    = "LATEST"
  }

  timers = {
    sweeper           = "rate(1 minute)"
    aggregator        = "rate(1 minute)"
    trades-backup     = "rate(10 minutes)"
    stale-connections = "rate(5 minutes)"
  }
}

# Where a batch goes that never succeeds (a pointer to it), and a tick that could not be delivered.
resource "aws_sqs_queue" "dead_letters" {
  for_each = merge(local.consumers, local.timers)

  name                      = "supernoba-${each.key}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_lambda_event_source_mapping" "fills" {
  for_each = local.consumers

  # Tried for ever: what comes again waits for a back end. What a function fails at, or rejects, it puts aside itself.
  event_source_arn                   = aws_kinesis_stream.main["fills"].arn
  function_name                      = aws_lambda_function.main[each.key].arn
  starting_position                  = each.value
  batch_size                         = 500
  maximum_batching_window_in_seconds = 0
  parallelization_factor             = 1 # The order of the whole shard is kept.
  maximum_retry_attempts             = -1
  maximum_record_age_in_seconds      = -1
  bisect_batch_on_function_error     = true
  # Without this Lambda takes every answer for a success.
  function_response_types = ["ReportBatchItemFailures"]

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.dead_letters[each.key].arn
    }
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_cloudwatch_event_rule" "timer" {
  for_each = local.timers

  name                = "supernoba-${each.key}"
  description         = "Runs ${each.key} now and then"
  schedule_expression = each.value
}

resource "aws_cloudwatch_event_target" "timer" {
  for_each = local.timers

  rule = aws_cloudwatch_event_rule.timer[each.key].name
  arn  = aws_lambda_function.main[each.key].arn

  retry_policy {
    # A tick that is missed is made up for by the next.
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 2
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters[each.key].arn
  }
}

resource "aws_lambda_permission" "timer" {
  for_each = local.timers

  function_name = aws_lambda_function.main[each.key].function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.timer[each.key].arn
}

resource "aws_sqs_queue_policy" "timer" {
  for_each = local.timers

  queue_url = aws_sqs_queue.dead_letters[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Ticks"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead_letters[each.key].arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.timer[each.key].arn } }
    }]
  })
}
