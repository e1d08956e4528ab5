output "rest_url" {
  description = "The REST API behind API Gateway"
  value       = aws_api_gateway_stage.main.invoke_url
}

output "socket_url" {
  description = "The WebSocket behind API Gateway"
  value       = aws_apigatewayv2_stage.socket.invoke_url
}

output "balancer" {
  description = "Where the domain's alias record has to lead"
  value       = { name = aws_lb.main.dns_name, zone = aws_lb.main.zone_id }
}

output "artifacts_bucket" {
  description = "Where releases go"
  value       = aws_s3_bucket.main["artifacts"].id
}

output "secrets_to_fill" {
  description = "What an operator puts in by hand"
  value       = [for key in ["supabase-service", "supabase-anon"] : aws_secretsmanager_secret.main[key].name]
}

output "database_secret_arn" {
  description = "DB_SECRET_ARN"
  value       = aws_db_instance.history.master_user_secret[0].secret_arn
}
