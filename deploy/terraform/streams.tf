# The names and shards of the contract, and one stream more for records that can never be processed.

locals {
  streams = {
    orders       = { name = "supernoba-orders", shards = var.orders_shards }
    fills        = { name = "supernoba-fills", shards = var.fills_shards }
    dead-letters = { name = "supernoba-dead-letters", shards = 1 }
  }
}

resource "aws_kinesis_stream" "main" {
  for_each = local.streams

  name             = each.value.name
  shard_count      = each.value.shards
  retention_period = 168 # A week: an engine may be rebuilt from an old snapshot.
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"

  # Throttling and age by shard: a hot one is not seen in the mean.
  shard_level_metrics = [
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
  ]

  stream_mode_details {
    stream_mode = "PROVISIONED"
  }

  lifecycle {
    # The orders stream is the truth.
    prevent_destroy = true
  }
}

# The engine's own output of each shard: 70 ms instead of up to 200, and the functions' readers do not slow it.
resource "aws_kinesis_stream_consumer" "engine" {
  name       = "supernoba-engine"
  stream_arn = aws_kinesis_stream.main["orders"].arn
}
