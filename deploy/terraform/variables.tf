variable "region" {
  description = "AWS region (the contract's)"
  type        = string
  default     = "ap-northeast-2"
}

variable "environment" {
  description = "Name of this deployment; appears in tags and alarms, not in the contract's names"
  type        = string
  default     = "production"
}

variable "domain" {
  description = "The exchange's host name: page, REST and WebSocket of our own gateway, and the capability server"
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A host name in small letters, such as exchange.example.com."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of the domain, in this region"
  type        = string
}

variable "release" {
  description = "Version to run: nodes fetch releases/VERSION/ from the artifacts bucket, functions too"
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z._-]+$", var.release))
    error_message = "Letters, digits, dots, dashes and underscores only: it becomes part of object keys."
  }
}

variable "release_sha256" {
  description = "SHA-256 (hex) of releases/VERSION/supernoba-linux-arm64.tar.gz; a node that fetches anything else does not start"
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.release_sha256))
    error_message = "64 hexadecimal digits."
  }
}

variable "functions_sha256" {
  description = "SHA-256 (base64, as Lambda states it) of releases/VERSION/functions.zip"
  type        = string
}

variable "supabase_url" {
  description = "Wallets and accounts: https://REF.supabase.co"
  type        = string

  validation {
    condition     = startswith(var.supabase_url, "https://")
    error_message = "Tokens must not cross a network in the clear: https only."
  }
}

variable "allow_test_mode" {
  description = "Let test users in (?userId=test-NAME&testMode=true). Off wherever there is real money."
  type        = bool
  default     = false
}

variable "alarm_email" {
  description = "Who is told of alarms; empty: nobody by mail"
  type        = string
  default     = ""
}

variable "vpc_cidr" {
  description = "Addresses of the network, a /16"
  type        = string
  default     = "10.40.0.0/16"
}

variable "zones" {
  description = "Availability zones; two at least, so that one may be lost"
  type        = list(string)
  default     = ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2c"]

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4
    error_message = "Two to four zones."
  }
}

variable "orders_shards" {
  description = "Shards of supernoba-orders. See docs/scale.md; changing it reshards while trading goes on (deploy/runbook.md)."
  type        = number
  default     = 4
}

variable "fills_shards" {
  description = "Shards of supernoba-fills"
  type        = number
  default     = 2
}

variable "nodes" {
  description = "Machines of each role. Engines: one more than needed stands by."
  type = map(object({
    type = string
    min  = number
    max  = number
  }))
  default = {
    engine   = { type = "c7g.xlarge", min = 2, max = 4 }
    gateway  = { type = "c7g.xlarge", min = 2, max = 8 }
    streamer = { type = "c7g.large", min = 2, max = 40 }
  }

  validation {
    condition     = toset(keys(var.nodes)) == toset(["engine", "gateway", "streamer"])
    error_message = "Exactly the roles engine, gateway and streamer."
  }

  validation {
    condition     = alltrue([for node in var.nodes : node.min >= 2 && node.max > node.min])
    error_message = "Two of each at least, and room for one more: an upgrade starts the new one before it stops the old one."
  }
}

variable "cache_node_type" {
  description = "Nodes of both caches"
  type        = string
  default     = "cache.r7g.large"
}

variable "database_class" {
  description = "The trade history's database"
  type        = string
  default     = "db.r7g.large"
}

variable "database_storage_gb" {
  description = "Disk that the trade history begins with; grows to eight times by itself"
  type        = number
  default     = 100
}

variable "log_days" {
  description = "How long logs are kept"
  type        = number
  default     = 90
}
