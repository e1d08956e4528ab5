terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }

  # Bucket, key and region come with `terraform init -backend-config=FILE`. The state holds the capability token and the cache's
  # password (Lambda and ElastiCache take them no other way), so the bucket must be encrypted and closed.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "supernoba"
      Environment = var.environment
    }
  }
}
