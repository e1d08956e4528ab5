# One function for each handler of edge-fns, all from the one archive that `cargo xtask lambda` builds.
#
# On Lambda they reach the back ends through the exchange's capability server, so they need no network of ours and next to no permissions:
# wallets, caches and tables are the gateway's to touch.

locals {
  # What places orders ends within the minute after which whoever finds one half placed goes on with it.
  placing   = { memory = 512, timeout = 30 }
  on_demand = { memory = 256, timeout = 15 }
  consumer  = { memory = 512, timeout = 60 }
  timed     = { memory = 512, timeout = 120 }

  functions = {
    order-router      = merge(local.on_demand, { environment = merge(local.settings.test_mode, local.settings.orders) })
    orders            = merge(local.on_demand, { environment = merge(local.settings.test_mode, local.settings.orders) })
    admin             = merge(local.on_demand, { environment = local.settings.test_mode })
    asset             = merge(local.on_demand, { environment = local.settings.test_mode })
    chart-data        = merge(local.on_demand, { environment = local.settings.day })
    connect           = merge(local.on_demand, { environment = local.settings.test_mode })
    subscribe         = merge(local.on_demand, { environment = {} })
    disconnect        = merge(local.on_demand, { environment = {} })
    fill-processor    = merge(local.consumer, { environment = { ORDERS_TABLE = aws_dynamodb_table.main["orders"].name } })
    history-saver     = merge(local.consumer, { environment = {} })
    notifier          = merge(local.consumer, { environment = {} })
    user-notify       = merge(local.consumer, { environment = {} })
    sweeper           = merge(local.placing, { environment = local.settings.orders })
    aggregator        = merge(local.timed, { environment = local.settings.day })
    trades-backup     = merge(local.timed, { environment = local.settings.day })
    stale-connections = merge(local.timed, { environment = {} })
  }

  settings = {
    test_mode = { ALLOW_TEST_MODE = tostring(var.allow_test_mode) }
    orders = {
      ORDERS_TABLE          = aws_dynamodb_table.main["orders"].name
      KINESIS_ORDERS_STREAM = aws_kinesis_stream.main["orders"].name
    }
    # Days begin at midnight in Seoul.
    day = { DAY_OFFSET_S = "32400" }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/supernoba-${each.key}"
  retention_in_days = var.log_days
}

resource "aws_lambda_function" "main" {
  for_each = local.functions

  function_name    = "supernoba-${each.key}"
  role             = aws_iam_role.function[each.key].arn
  runtime          = "provided.al2023"
  architectures    = ["x86_64"] # What the components are compiled for.
  handler          = each.key
  s3_bucket        = aws_s3_bucket.main["artifacts"].id
  s3_key           = "releases/${var.release}/functions.zip"
  source_code_hash = var.functions_sha256
  memory_size      = each.value.memory
  timeout          = each.value.timeout

  environment {
    variables = merge(each.value.environment, {
      SUPERNOBA_HANDLER  = each.key
      CAPABILITIES_URL   = "https://${var.domain}/capabilities"
      CAPABILITIES_TOKEN = data.aws_secretsmanager_secret_version.capabilities.secret_string
      DEAD_LETTER_STREAM = aws_kinesis_stream.main["dead-letters"].name
      LOG_LEVEL          = "info"
    })
  }

  # The group must be there first: Lambda would create one that keeps logs for ever.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}
