# Documents have the keys that every table of the exchange has; leases those of Amazon's client library, whose tools can read them.

locals {
  tables = {
    orders  = { name = "supernoba-orders", hash = "pk", range = "sk", expires = false }
    candles = { name = "candle_history", hash = "pk", range = "sk", expires = false }
    # Checkpoints, dead letters, places in streams.
    state  = { name = "supernoba-state", hash = "pk", range = "sk", expires = true }
    leases = { name = "supernoba-engine-leases", hash = "leaseKey", range = null, expires = false }
  }
}

resource "aws_dynamodb_table" "main" {
  for_each = local.tables

  name                        = each.value.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value.hash
  range_key                   = each.value.range
  deletion_protection_enabled = true

  dynamic "attribute" {
    for_each = compact([each.value.hash, each.value.range])
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "ttl" {
    for_each = each.value.expires ? ["expires_at"] : []
    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}
