# Containers of what must be kept secret. Two are filled here with random values that no state keeps; Supabase's keys are put in by an
# operator (deploy/runbook.md) and never pass through Terraform.

locals {
  secrets = {
    cache            = { name = "supernoba/cache-auth-token", what = "Password of both caches" }
    capabilities     = { name = "supernoba/capabilities-token", what = "Opens the capability server to the functions" }
    supabase-service = { name = "supernoba/supabase-service-role-key", what = "SUPABASE_SERVICE_ROLE_KEY" }
    supabase-anon    = { name = "supernoba/supabase-anon-key", what = "SUPABASE_ANON_KEY" }
  }
  # Counted up to have new random values made: see "Rotate secrets" in the runbook.
  secret_versions = { cache = 1, capabilities = 1 }
}

resource "aws_secretsmanager_secret" "main" {
  for_each = local.secrets

  name                    = each.value.name
  description             = each.value.what
  recovery_window_in_days = 30
}

ephemeral "aws_secretsmanager_random_password" "made" {
  for_each = local.secret_versions

  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "made" {
  for_each = local.secret_versions

  secret_id                = aws_secretsmanager_secret.main[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.made[each.key].random_password
  secret_string_wo_version = each.value
}

data "aws_secretsmanager_secret_version" "cache" {
  secret_id = aws_secretsmanager_secret_version.made["cache"].secret_id
}

data "aws_secretsmanager_secret_version" "capabilities" {
  secret_id = aws_secretsmanager_secret_version.made["capabilities"].secret_id
}
