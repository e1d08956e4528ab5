# Copy to a file of your own; nothing in it is secret.
domain           = "exchange.example.com"
certificate_arn  = "arn:aws:acm:ap-northeast-2:123456789012:certificate/00000000-0000-0000-0000-000000000000"
release          = "0.1.0"
release_sha256   = "0000000000000000000000000000000000000000000000000000000000000000"
functions_sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
supabase_url     = "https://abcdefghijklmnopqrst.supabase.co"
alarm_email      = "operations@example.com"
