# The front doors that AWS runs: REST and WebSocket. The routes are those of edge-fns/src/routes.rs; a test compares them.

locals {
  stage = "live"

  # Every path, under the one that it continues.
  paths = {
    "/orders"        = { part = "orders" }
    "/chart"         = { part = "chart" }
    "/depth"         = { part = "depth" }
    "/assets"        = { part = "assets" }
    "/admin"         = { part = "admin" }
    "/orders/{id}"   = { part = "{id}", under = "/orders" }
    "/admin/{rest+}" = { part = "{rest+}", under = "/admin" }
  }

  # A method of its own goes before ANY.
  routes = {
    "POST /orders"       = { path = "/orders", method = "POST", handler = "order-router" }
    "ANY /orders"        = { path = "/orders", method = "ANY", handler = "orders" }
    "ANY /orders/{id}"   = { path = "/orders/{id}", method = "ANY", handler = "orders" }
    "ANY /chart"         = { path = "/chart", method = "ANY", handler = "chart-data" }
    "ANY /depth"         = { path = "/depth", method = "ANY", handler = "chart-data" }
    "ANY /assets"        = { path = "/assets", method = "ANY", handler = "asset" }
    "ANY /admin"         = { path = "/admin", method = "ANY", handler = "admin" }
    "ANY /admin/{rest+}" = { path = "/admin/{rest+}", method = "ANY", handler = "admin" }
  }

  socket_routes = {
    "$connect"    = "connect"
    "$disconnect" = "disconnect"
    "subscribe"   = "subscribe"
    "$default"    = "subscribe"
  }

  resources = merge(
    { for path, resource in aws_api_gateway_resource.first : path => resource.id },
    { for path, resource in aws_api_gateway_resource.second : path => resource.id },
  )
}

resource "aws_api_gateway_rest_api" "main" {
  name                         = "supernoba"
  description                  = "The exchange's REST API"
  disable_execute_api_endpoint = false

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "first" {
  for_each = { for path, about in local.paths : path => about if !can(about.under) }

  rest_api_id = aws_api_gateway_rest_api.main.id
  parent_id   = aws_api_gateway_rest_api.main.root_resource_id
  path_part   = each.value.part
}

resource "aws_api_gateway_resource" "second" {
  for_each = { for path, about in local.paths : path => about if can(about.under) }

  rest_api_id = aws_api_gateway_rest_api.main.id
  parent_id   = aws_api_gateway_resource.first[each.value.under].id
  path_part   = each.value.part
}

resource "aws_api_gateway_method" "main" {
  for_each = local.routes

  rest_api_id = aws_api_gateway_rest_api.main.id
  resource_id = local.resources[each.value.path]
  http_method = each.value.method
  # The functions check tokens themselves, the same way on every host.
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "main" {
  for_each = local.routes

  rest_api_id             = aws_api_gateway_rest_api.main.id
  resource_id             = local.resources[each.value.path]
  http_method             = aws_api_gateway_method.main[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.main[each.value.handler].invoke_arn
  timeout_milliseconds    = 15000
}

resource "aws_lambda_permission" "rest" {
  for_each = local.routes

  function_name = aws_lambda_function.main[each.value.handler].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  # API Gateway writes a parameter of a path, and ANY, as a star.
  source_arn = join("/", [
    aws_api_gateway_rest_api.main.execution_arn,
    local.stage,
    each.value.method == "ANY" ? "*" : each.value.method,
    trimprefix(replace(each.value.path, "/\\{[^}]*\\}/", "*"), "/"),
  ])
}

resource "aws_api_gateway_deployment" "main" {
  rest_api_id = aws_api_gateway_rest_api.main.id

  triggers = {
    routes = sha256(jsonencode([local.paths, local.routes, aws_api_gateway_integration.main]))
  }

  depends_on = [aws_api_gateway_method.main, aws_api_gateway_integration.main]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "api" {
  for_each = toset(["rest", "socket"])

  name              = "/supernoba/api/${each.key}"
  retention_in_days = var.log_days
}

resource "aws_api_gateway_stage" "main" {
  rest_api_id          = aws_api_gateway_rest_api.main.id
  deployment_id        = aws_api_gateway_deployment.main.id
  stage_name           = local.stage
  xray_tracing_enabled = false

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api["rest"].arn
    # No query strings and no headers: tokens may be in them.
    format = jsonencode({
      requestId = "$context.requestId"
      time      = "$context.requestTimeEpoch"
      method    = "$context.httpMethod"
      path      = "$context.resourcePath"
      status    = "$context.status"
      latencyMs = "$context.responseLatency"
      error     = "$context.integrationErrorMessage"
    })
  }

  depends_on = [aws_api_gateway_account.main]
}

resource "aws_api_gateway_method_settings" "main" {
  rest_api_id = aws_api_gateway_rest_api.main.id
  stage_name  = aws_api_gateway_stage.main.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "OFF" # Execution logs would hold bodies and tokens.
    data_trace_enabled     = false
    throttling_rate_limit  = 2000
    throttling_burst_limit = 4000
  }
}

# One an account and region: lets API Gateway write access logs.
resource "aws_api_gateway_account" "main" {
  cloudwatch_role_arn = aws_iam_role.api_logs.arn

  depends_on = [aws_iam_role_policy.api_logs]
}

resource "aws_apigatewayv2_api" "socket" {
  name                       = "supernoba-socket"
  description                = "The exchange's WebSocket"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

resource "aws_apigatewayv2_integration" "socket" {
  for_each = toset(values(local.socket_routes))

  api_id                    = aws_apigatewayv2_api.socket.id
  integration_type          = "AWS_PROXY"
  integration_method        = "POST"
  integration_uri           = aws_lambda_function.main[each.key].invoke_arn
  content_handling_strategy = "CONVERT_TO_TEXT"
  timeout_milliseconds      = 15000
}

resource "aws_apigatewayv2_route" "socket" {
  for_each = local.socket_routes

  api_id             = aws_apigatewayv2_api.socket.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.socket[each.value].id}"
  authorization_type = "NONE"
  # The functions' answers go back to who sent the message (SOCKET_REPLIES=response); $connect and $disconnect have none.
  route_response_selection_expression = contains(["$connect", "$disconnect"], each.key) ? null : "$default"
}

resource "aws_apigatewayv2_route_response" "socket" {
  for_each = { for key, handler in local.socket_routes : key => handler if !contains(["$connect", "$disconnect"], key) }

  api_id             = aws_apigatewayv2_api.socket.id
  route_id           = aws_apigatewayv2_route.socket[each.key].id
  route_response_key = "$default"
}

resource "aws_lambda_permission" "socket" {
  for_each = local.socket_routes

  function_name = aws_lambda_function.main[each.value].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.socket.execution_arn}/${local.stage}/${each.key}"
}

resource "aws_apigatewayv2_deployment" "socket" {
  api_id = aws_apigatewayv2_api.socket.id

  triggers = {
    routes = sha256(jsonencode([
      local.socket_routes,
      aws_apigatewayv2_integration.socket,
      aws_apigatewayv2_route.socket,
      aws_apigatewayv2_route_response.socket,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_apigatewayv2_stage" "socket" {
  api_id        = aws_apigatewayv2_api.socket.id
  name          = local.stage
  deployment_id = aws_apigatewayv2_deployment.socket.id

  default_route_settings {
    throttling_rate_limit    = 2000
    throttling_burst_limit   = 4000
    detailed_metrics_enabled = true
    logging_level            = "OFF"
    data_trace_enabled       = false
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api["socket"].arn
    format = jsonencode({
      requestId  = "$context.requestId"
      time       = "$context.requestTimeEpoch"
      route      = "$context.routeKey"
      status     = "$context.status"
      connection = "$context.connectionId"
      error      = "$context.integrationErrorMessage"
    })
  }

  depends_on = [aws_api_gateway_account.main]
}
