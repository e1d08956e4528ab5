# Who may do what. Every statement names the resources it is about; the two that cannot be narrower say why.

locals {
  trust = { for service in ["lambda", "ec2", "apigateway"] : service => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "${service}.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  }) }

  stream_read = [
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
  ]
  stream_write = ["kinesis:PutRecord", "kinesis:PutRecords"]
  table_rows = [
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
  ]

  node_statements = {
    engine = [
      { Sid = "ReadOrders", Effect = "Allow", Action = concat(local.stream_read, ["kinesis:DescribeStreamConsumer"]), Resource = [aws_kinesis_stream.main["orders"].arn] },
      { Sid = "FanOut", Effect = "Allow", Action = ["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"], Resource = [aws_kinesis_stream_consumer.engine.arn] },
      # Its own ticks close the candles of quiet markets.
      { Sid = "Tick", Effect = "Allow", Action = local.stream_write, Resource = [aws_kinesis_stream.main["orders"].arn] },
      { Sid = "WriteFills", Effect = "Allow", Action = concat(local.stream_write, ["kinesis:DescribeStreamSummary", "kinesis:ListShards"]), Resource = [aws_kinesis_stream.main["fills"].arn] },
      { Sid = "LeasesAndState", Effect = "Allow", Action = concat(local.table_rows, ["dynamodb:Scan"]), Resource = [aws_dynamodb_table.main["leases"].arn, aws_dynamodb_table.main["state"].arn] },
      { Sid = "Snapshots", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = ["${aws_s3_bucket.main["backups"].arn}/snapshots/*"] },
      { Sid = "ListSnapshots", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [aws_s3_bucket.main["backups"].arn], Condition = { StringLike = { "s3:prefix" = ["snapshots/*"] } } },
      { Sid = "Push", Effect = "Allow", Action = ["execute-api:ManageConnections"], Resource = [local.connections_arn] },
    ]
    gateway = [
      { Sid = "WriteOrders", Effect = "Allow", Action = concat(local.stream_write, ["kinesis:DescribeStreamSummary", "kinesis:ListShards"]), Resource = [aws_kinesis_stream.main["orders"].arn, aws_kinesis_stream.main["dead-letters"].arn] },
      { Sid = "ReadFills", Effect = "Allow", Action = local.stream_read, Resource = [aws_kinesis_stream.main["fills"].arn] },
      { Sid = "Documents", Effect = "Allow", Action = local.table_rows, Resource = [for key in ["orders", "candles", "state"] : aws_dynamodb_table.main[key].arn] },
      { Sid = "CandleBackups", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = ["${aws_s3_bucket.main["backups"].arn}/candles/*", "${aws_s3_bucket.main["backups"].arn}/trades/*", "${aws_s3_bucket.main["backups"].arn}/parquet/*"] },
      { Sid = "ListBackups", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [aws_s3_bucket.main["backups"].arn], Condition = { StringLike = { "s3:prefix" = ["candles/*", "trades/*", "parquet/*"] } } },
      { Sid = "Push", Effect = "Allow", Action = ["execute-api:ManageConnections"], Resource = [local.connections_arn] },
      { Sid = "Database", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = [aws_db_instance.history.master_user_secret[0].secret_arn] },
    ]
    streamer = [
      { Sid = "Push", Effect = "Allow", Action = ["execute-api:ManageConnections"], Resource = [local.connections_arn] },
    ]
  }

  # Which secrets a role is given, under the names of the contract's variables where it has them.
  node_secrets = {
    engine   = { CACHE_PASSWORD = "cache" }
    streamer = { CACHE_PASSWORD = "cache" }
    gateway = {
      CACHE_PASSWORD            = "cache"
      CAPABILITIES_TOKEN        = "capabilities"
      SUPABASE_SERVICE_ROLE_KEY = "supabase-service"
      SUPABASE_ANON_KEY         = "supabase-anon"
    }
  }

  # Connections are made and gone by the second: their ids cannot be named, all else of the address can.
  connections_arn = "${aws_apigatewayv2_api.socket.execution_arn}/${local.stage}/*/@connections/*"
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = "supernoba-function-${each.key}"
  assume_role_policy = local.trust["lambda"]
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "own"
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
      }],
      contains(keys(local.consumers), each.key) ? [{
        Sid      = "ReadFills"
        Effect   = "Allow"
        Action   = concat(local.stream_read, ["kinesis:DescribeStream"])
        Resource = [aws_kinesis_stream.main["fills"].arn]
      }] : [],
      contains(keys(local.consumers), each.key) ? [{
        Sid      = "DeadLetters"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [aws_sqs_queue.dead_letters[each.key].arn]
      }] : [],
    )
  })
}

resource "aws_iam_role" "node" {
  for_each = var.nodes

  name               = "supernoba-${each.key}"
  assume_role_policy = local.trust["ec2"]
}

resource "aws_iam_role_policy" "node" {
  for_each = var.nodes

  name = "own"
  role = aws_iam_role.node[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.node_statements[each.key],
      [
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = [for secret in values(local.node_secrets[each.key]) : aws_secretsmanager_secret.main[secret].arn]
        },
        {
          Sid    = "Release"
          Effect = "Allow"
          Action = ["s3:GetObject"]
          # Any: a node may have to come back with the release before. What it runs is told by its hash.
          Resource = ["${aws_s3_bucket.main["artifacts"].arn}/releases/*"]
        },
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.node[each.key].arn}:*"]
        },
      ],
    )
  })
}

# Operators come in by Session Manager: no SSH, no open port, each session recorded.
resource "aws_iam_role_policy_attachment" "node_sessions" {
  for_each = var.nodes

  role       = aws_iam_role.node[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "node" {
  for_each = var.nodes

  name = "supernoba-${each.key}"
  role = aws_iam_role.node[each.key].name
}

resource "aws_iam_role" "api_logs" {
  name               = "supernoba-api-logs"
  assume_role_policy = local.trust["apigateway"]
}

resource "aws_iam_role_policy" "api_logs" {
  name = "own"
  role = aws_iam_role.api_logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = [for group in aws_cloudwatch_log_group.api : "${group.arn}:*"]
      },
      {
        # API Gateway checks that it could make groups before it takes the role; the service knows no narrower resource for these two.
        Sid      = "Accepted"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:DescribeLogGroups"]
        Resource = ["*"]
      },
    ]
  })
}
