// What Terraform would make, against the code: planned with a provider that stands for AWS'. Skipped where there is no Terraform.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { consumers, contract, grants, handlers, httpRoutes, lambdaVariables, socketRoutes, source, streams, tables, timers } from './code.mjs';
import { ACCOUNT, REGION } from './provider.mjs';
import { Workspace, folder, missing, program, root } from './terraform.mjs';

const why = missing();
const skip = why && `${why}: the plan is not checked`;
let workspace;
let resources = [];

before(async () => {
  if (skip) return console.log(`skipped: ${skip}`);
  workspace = await Workspace.open();
  resources = await workspace.plan();
});

after(() => workspace?.close());

const all = (type, name = undefined) => resources.filter((one) => one.type === type && (name === undefined || one.name === name));
const only = (type, name, index) => {
  const found = all(type, name).filter((one) => one.index === index);
  assert.equal(found.length, 1, `${type}.${name}[${index}]`);
  return found[0].values;
};
const sorted = (list) => [...list].sort();

test('the files are formatted', { skip }, () => {
  const said = spawnSync(program, ['fmt', '-check', '-recursive', '-diff', folder], { encoding: 'utf8', env: { ...process.env, CHECKPOINT_DISABLE: '1' } });
  assert.equal(said.status, 0, said.stdout + said.stderr);
});

test('the configuration is valid, and what AWS does not know would not be', { skip }, async () => {
  const good = await workspace.run('validate', '-no-color');
  assert.equal(good.code, 0, good.output);
  const wrong = join(workspace.folder, 'wrong.tf');
  for (const [text, complaint] of [
    ['resource "aws_kinesis_stream" "x" {\n  name = "x"\n  shards = 4\n}', /shards/],
    ['resource "aws_sqs_queue" "x" {\n  name = aws_sqs_queue.nowhere.name\n}', /nowhere/],
    ['resource "aws_lambda_permission" "x" {\n  action = "lambda:InvokeFunction"\n}', /principal/],
    ['resource "aws_s3_bucket" "x" {\n  bucket = var.unknown\n}', /unknown/],
  ]) {
    writeFileSync(wrong, `${text}\n`);
    const bad = await workspace.run('validate', '-no-color');
    assert.notEqual(bad.code, 0, text);
    assert.match(bad.output, complaint);
  }
  writeFileSync(wrong, '');
});

test('settings that cannot be right are refused', { skip }, async () => {
  for (const variables of [
    { domain: 'Exchange' },
    { supabase_url: 'http://abc.supabase.co' },
    { release: '../x' },
    { release_sha256: 'abc' },
    { zones: ['ap-northeast-2a'] },
    { nodes: { engine: { type: 'c7g.large', min: 1, max: 2 }, gateway: { type: 'c7g.large', min: 2, max: 4 }, streamer: { type: 'c7g.large', min: 2, max: 4 } } },
    { nodes: { engine: { type: 'c7g.large', min: 2, max: 4 } } },
  ]) {
    await assert.rejects(workspace.settings(variables), /Invalid value for variable/, JSON.stringify(variables));
  }
  await workspace.settings({});
  const more = await workspace.plan({ orders_shards: 13, zones: ['ap-northeast-2a', 'ap-northeast-2b'] }, 'aws_kinesis_stream.main');
  assert.equal(more.find((one) => one.type === 'aws_kinesis_stream' && one.index === 'orders').values.shard_count, 13);
});

test('the streams are those of the contract', { skip }, () => {
  const made = all('aws_kinesis_stream').map(({ values }) => ({ name: values.name, shards: values.shard_count }));
  for (const stream of streams) assert.deepEqual(made.filter(({ name }) => name === stream.name), [stream]);
  assert.deepEqual(streams.length, 2);
  for (const { values } of all('aws_kinesis_stream')) {
    assert.equal(values.encryption_type, 'KMS');
    assert.ok(values.retention_period >= 48, 'longer than a night and a morning');
  }
  assert.equal(only('aws_kinesis_stream_consumer', 'engine').stream_arn, only('aws_kinesis_stream', 'main', 'orders').arn);
});

test('the tables are those that the code asks for', { skip }, () => {
  const made = Object.fromEntries(all('aws_dynamodb_table').map(({ values }) => [values.name, values]));
  for (const name of Object.values(tables)) {
    assert.deepEqual([made[name]?.hash_key, made[name]?.range_key], ['pk', 'sk'], name);
  }
  assert.equal(made['supernoba-engine-leases'].hash_key, 'leaseKey');
  assert.deepEqual(made['supernoba-state'].ttl.map(({ attribute_name }) => attribute_name), ['expires_at']);
  for (const values of Object.values(made)) {
    const keys = [values.hash_key, values.range_key].filter(Boolean);
    assert.deepEqual(sorted(values.attribute.map(({ name }) => name)), sorted(keys));
    assert.ok(values.point_in_time_recovery[0].enabled && values.deletion_protection_enabled, values.name);
  }
});

test('every handler is a function, and no function is anything else', { skip }, () => {
  const functions = all('aws_lambda_function');
  assert.deepEqual(sorted(functions.map(({ index }) => index)), handlers);
  const { own, read } = lambdaVariables();
  for (const { index, values } of functions) {
    const { variables } = values.environment[0];
    assert.equal(variables.SUPERNOBA_HANDLER, index);
    assert.deepEqual([values.runtime, values.architectures], ['provided.al2023', ['x86_64']]);
    assert.match(variables.CAPABILITIES_URL, /^https:\/\/[^/]+\/capabilities$/);
    for (const name of Object.keys(variables)) {
      assert.ok(own.includes(name) || read.includes(name), `${index}: nothing reads ${name}`);
      // Lambda sets these itself and refuses others'.
      assert.ok(!name.startsWith('AWS_'), name);
    }
  }
  for (const [handler, names] of grants()) {
    const { variables } = only('aws_lambda_function', 'main', handler).environment[0];
    for (const name of names) assert.ok(name in variables, `${handler} may read ${name}, which is not set`);
  }
  assert.equal(only('aws_lambda_function', 'main', 'order-router').environment[0].variables.ALLOW_TEST_MODE, 'false');
});

test('what places orders ends before somebody else may take it up', { skip }, () => {
  const seconds = Number(source('edge-fns/src/placement.rs').match(/ATTEMPT_LIMIT_MS: Millis = ([\d_]+);/)[1].replaceAll('_', '')) / 1000;
  for (const handler of ['order-router', 'orders', 'sweeper']) {
    assert.ok(only('aws_lambda_function', 'main', handler).timeout < seconds, handler);
  }
});

test('every request goes to the function that the table says', { skip }, () => {
  const expected = httpRoutes().map(({ method, path, handler }) => [`${method ?? 'ANY'} ${path.replace(/\{\*(\w+)\}/, '{$1+}')}`, handler]);
  const paths = Object.fromEntries(all('aws_api_gateway_resource').map(({ index, values }) => [values.id, index]));
  const planned = all('aws_api_gateway_integration').map(({ index, values }) => {
    const handler = values.uri.match(/function:supernoba-([a-z-]+)\/invocations$/)[1];
    assert.equal(values.type, 'AWS_PROXY');
    assert.equal(only('aws_api_gateway_method', 'main', index).resource_id, values.resource_id);
    return [`${values.http_method} ${paths[values.resource_id]}`, handler];
  });
  assert.deepEqual(sorted(planned.map(String)), sorted(expected.map(String)));
  for (const { index, values } of all('aws_api_gateway_resource')) {
    assert.equal(values.path_part, index.split('/').at(-1));
    const above = index.split('/').slice(0, -1).join('/');
    if (above !== '') assert.equal(paths[values.parent_id], above);
  }
  const permitted = all('aws_lambda_permission', 'rest').map(({ index, values }) => [index, values.source_arn.replace(/^.*\/live\//, '')]);
  assert.deepEqual(Object.fromEntries(permitted)['ANY /orders/{id}'], '*/orders/*');
  assert.deepEqual(Object.fromEntries(permitted)['POST /orders'], 'POST/orders');
  assert.deepEqual(Object.fromEntries(permitted)['ANY /admin/{rest+}'], '*/admin/*');
  assert.equal(permitted.length, expected.length);
});

test('every message goes to the function that the table says, and answers go back', { skip }, () => {
  const targets = Object.fromEntries(all('aws_apigatewayv2_integration').map(({ index, values }) => [`integrations/${values.id}`, index]));
  const planned = Object.fromEntries(all('aws_apigatewayv2_route').map(({ values }) => [values.route_key, targets[values.target]]));
  assert.deepEqual(planned, socketRoutes());
  assert.equal(only('aws_apigatewayv2_api', 'socket').route_selection_expression, '$request.body.action');
  const answering = all('aws_apigatewayv2_route').filter(({ values }) => values.route_response_selection_expression === '$default');
  assert.deepEqual(sorted(answering.map(({ index }) => index)), sorted(all('aws_apigatewayv2_route_response').map(({ index }) => index)));
  assert.deepEqual(sorted(all('aws_lambda_permission', 'socket').map(({ index }) => index)), sorted(Object.keys(planned)));
});

test('the fills are consumed by the same functions, by the same rules', { skip }, () => {
  const rules = consumers();
  const mappings = all('aws_lambda_event_source_mapping');
  assert.deepEqual(sorted(mappings.map(({ index }) => index)), sorted(rules.all));
  for (const { index, values } of mappings) {
    assert.ok(values.event_source_arn.endsWith(`:stream/${rules.stream}`));
    assert.ok(values.function_name.endsWith(`:supernoba-${index}`));
    assert.equal(values.starting_position, rules.tellers.includes(index) ? 'LATEST' : 'TRIM_HORIZON');
    assert.deepEqual([values.batch_size, values.parallelization_factor, values.maximum_retry_attempts, values.bisect_batch_on_function_error], [rules.batch, rules.lanes, rules.retries, rules.bisect]);
    assert.deepEqual(values.function_response_types, ['ReportBatchItemFailures']);
    const [{ destination_arn }] = values.destination_config[0].on_failure;
    assert.equal(destination_arn, only('aws_sqs_queue', 'dead_letters', index).arn);
  }
});

test('what runs now and then runs as often as in one process', { skip }, () => {
  const expected = timers().map(({ handler, seconds }) => {
    const minutes = Math.max(1, Math.round(seconds / 60));
    return [handler, `rate(${minutes} minute${minutes === 1 ? '' : 's'})`];
  });
  const planned = all('aws_cloudwatch_event_rule').map(({ index, values }) => [index, values.schedule_expression]);
  assert.deepEqual(sorted(planned.map(String)), sorted(expected.map(String)));
  for (const [handler] of expected) {
    const target = only('aws_cloudwatch_event_target', 'timer', handler);
    assert.ok(target.arn.endsWith(`:supernoba-${handler}`));
    assert.equal(target.dead_letter_config[0].arn, only('aws_sqs_queue', 'dead_letters', handler).arn);
    assert.equal(only('aws_lambda_permission', 'timer', handler).source_arn, only('aws_cloudwatch_event_rule', 'timer', handler).arn);
  }
});

/** The start script of a role, as a node gets it. */
const start = (role) => Buffer.from(only('aws_launch_template', 'node', role).user_data, 'base64').toString();
const lines = (script, mark) => script.match(new RegExp(`<<'${mark}'\\n([\\s\\S]*?)\\n?${mark}\\n`))[1].split('\n');

test('every variable of the contract is given to the role that reads it', { skip }, () => {
  for (const [role, names] of Object.entries(contract)) {
    const script = start(role);
    const environment = Object.fromEntries(lines(script, 'ENVIRONMENT').map((line) => line.split(/=(.*)/s).slice(0, 2)));
    const secrets = Object.fromEntries(lines(script, 'SECRETS').map((line) => line.split(' ')));
    for (const name of names) assert.ok(environment[name] || secrets[name], `${role}: ${name}`);
    for (const [name, value] of Object.entries(environment)) {
      assert.ok(!/(^|_)(KEY|TOKEN|PASSWORD)$/.test(name), `${role}: ${name} is a secret and would lie open`);
      assert.ok(value && !value.includes('\n'), `${role}: ${name}`);
    }
    const known = all('aws_secretsmanager_secret').map(({ values }) => values.arn);
    for (const secret of Object.values(secrets)) assert.ok(known.includes(secret), secret);
    assert.match(environment.WEBSOCKET_ENDPOINT, new RegExp(`^https://[^/]+\\.execute-api\\.${REGION}\\.amazonaws\\.com/live$`));
  }
});

test('a contract that lies beside the repository names no variable that nobody is given', (t) => {
  const path = join(root, '../shared/contract.md');
  if (!existsSync(path)) return t.skip('there is no contract beside the repository');
  const text = source('../shared/contract.md').split(/^## 8\. /m)[1].split(/^## /m)[0];
  const names = new Set([...text.matchAll(/`([A-Z][A-Z_]{3,})`/g)].map(([, name]) => name));
  assert.ok(names.size > 15);
  const given = new Set(Object.values(contract).flat());
  assert.deepEqual([...names].filter((name) => !given.has(name)), []);
});

test('a node starts only what it has checked, and its script is sound', { skip }, () => {
  for (const role of Object.keys(contract)) {
    const script = start(role);
    const checked = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stderr);
    assert.ok(script.indexOf('sha256sum --check') < script.indexOf('tar -xzf'), 'checked before it is unpacked');
    assert.ok(script.indexOf('config check') < script.indexOf('enable --now supernoba-secrets.timer'));
    assert.match(script, new RegExp(`^role=${role}$`, 'm'));
    assert.ok(existsSync(join(root, `deploy/systemd/supernoba-${role}.service`)));
    assert.ok(!script.includes('made-up-'), 'no secret is in it');
    assert.ok(Buffer.byteLength(script) < 16_384, 'as EC2 takes it');
    const template = only('aws_launch_template', 'node', role);
    assert.equal(template.metadata_options[0].http_tokens, 'required');
    assert.equal(template.block_device_mappings[0].ebs[0].encrypted, 'true');
  }
});

// What AWS knows no narrower resource for.
const UNBOUND = new Set(['logs:CreateLogGroup', 'logs:DescribeLogGroups']);
// Objects of a folder, streams of a log group, connections, methods: the part that cannot be known beforehand.
const OPEN_END = [/^arn:aws:s3:::supernoba-(backups|artifacts)-\d+\/[\w./-]+\/\*$/, /:cloudwatch_log_group\/\/(aws|supernoba)\/[\w/-]+:\*$/, /^arn:aws:execute-api:[^*]+\/live\/\*\/@connections\/\*$/];

test('roles may do what they must, with the resources that they must, and no more', { skip }, () => {
  const arns = new Set(resources.map(({ values }) => values.arn).filter(Boolean));
  for (const { values } of all('aws_db_instance')) for (const { secret_arn } of values.master_user_secret) arns.add(secret_arn);
  const policies = all('aws_iam_role_policy');
  assert.equal(policies.length, handlers.length + 4);
  for (const { address, values } of policies) {
    for (const { Effect, Action, Resource, Sid } of JSON.parse(values.policy).Statement) {
      assert.equal(Effect, 'Allow');
      const place = `${address} ${Sid}`;
      for (const action of [Action].flat()) assert.match(action, /^[a-z0-9-]+:[A-Za-z]+$/, `${place}: ${action}`);
      for (const resource of [Resource].flat()) {
        if (resource === '*') {
          assert.ok([Action].flat().every((action) => UNBOUND.has(action)), `${place}: every resource`);
          continue;
        }
        const exact = arns.has(resource);
        assert.ok(exact || OPEN_END.some((pattern) => pattern.test(resource)), `${place}: ${resource}`);
      }
    }
  }
  for (const { address, values } of all('aws_iam_role')) {
    const [{ Principal, Action }] = JSON.parse(values.assume_role_policy).Statement;
    assert.equal(Action, 'sts:AssumeRole');
    assert.match(Principal.Service, /^(lambda|ec2|apigateway)\.amazonaws\.com$/, address);
  }
});

const may = (role, action, resource) =>
  all('aws_iam_role_policy', 'node')
    .filter(({ index }) => index === role)
    .flatMap(({ values }) => JSON.parse(values.policy).Statement)
    .some(({ Action, Resource }) => [Action].flat().includes(action) && [Resource].flat().includes(resource));

test('only engines write fills, only gateways read the database and Supabase', { skip }, () => {
  const [orders, fills] = ['orders', 'fills'].map((key) => only('aws_kinesis_stream', 'main', key).arn);
  const database = only('aws_db_instance', 'history').master_user_secret[0].secret_arn;
  const supabase = only('aws_secretsmanager_secret', 'main', 'supabase-service').arn;
  const table = (role, action, resource) => assert.deepEqual(['engine', 'gateway', 'streamer'].filter((one) => may(one, action, resource)), role, `${action} ${resource}`);
  table(['engine', 'gateway'], 'kinesis:PutRecords', orders);
  table(['engine'], 'kinesis:GetRecords', orders);
  table(['engine'], 'kinesis:PutRecords', fills);
  table(['gateway'], 'kinesis:GetRecords', fills);
  table(['gateway'], 'secretsmanager:GetSecretValue', database);
  table(['gateway'], 'secretsmanager:GetSecretValue', supabase);
  table(['engine'], 'dynamodb:UpdateItem', only('aws_dynamodb_table', 'main', 'leases').arn);
  table(['gateway'], 'dynamodb:UpdateItem', only('aws_dynamodb_table', 'main', 'orders').arn);
});

test('the world reaches port 443 of the balancer and nothing else', { skip }, () => {
  const open = all('aws_vpc_security_group_ingress_rule').filter(({ values }) => values.cidr_ipv4 || values.cidr_ipv6);
  assert.deepEqual(open.map(({ values }) => [values.cidr_ipv4, values.from_port, values.to_port]), [['0.0.0.0/0', 443, 443]]);
  assert.equal(open[0].values.security_group_id, only('aws_security_group', 'balancer').id);
  const [listener] = all('aws_lb_listener');
  assert.equal(listener.values.protocol, 'TLS');
  assert.equal(all('aws_lb_listener').length, 1);
  assert.equal(only('aws_db_instance', 'history').publicly_accessible, false);
  // A gateway group without an internet route: data subnets have the network's own table, which leads nowhere.
  const routed = new Set([...all('aws_route_table_association').map(({ values }) => values.subnet_id)]);
  for (const { values } of all('aws_subnet', 'data')) assert.ok(!routed.has(values.id));
  const blocks = all('aws_subnet').map(({ values }) => values.cidr_block);
  assert.equal(new Set(blocks).size, blocks.length);
  const range = (block) => {
    const [address, bits] = block.split('/');
    const start = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return [start, start + 2 ** (32 - bits)];
  };
  const ranges = blocks.map(range).sort(([a], [b]) => a - b);
  for (let n = 1; n < ranges.length; n++) assert.ok(ranges[n - 1][1] <= ranges[n][0], 'subnets overlap');
});

test('what is kept is encrypted, closed and recoverable', { skip }, () => {
  for (const { index } of all('aws_s3_bucket')) {
    const access = only('aws_s3_bucket_public_access_block', 'main', index);
    assert.ok(access.block_public_acls && access.block_public_policy && access.ignore_public_acls && access.restrict_public_buckets);
    assert.equal(only('aws_s3_bucket_versioning', 'main', index).versioning_configuration[0].status, 'Enabled');
    assert.equal(only('aws_s3_bucket_server_side_encryption_configuration', 'main', index).rule[0].apply_server_side_encryption_by_default[0].sse_algorithm, 'aws:kms');
    assert.match(only('aws_s3_bucket_policy', 'encrypted_transport', index).policy, /aws:SecureTransport/);
  }
  for (const { values } of all('aws_elasticache_replication_group')) {
    assert.ok(values.transit_encryption_enabled && values.at_rest_encryption_enabled && values.automatic_failover_enabled && values.multi_az_enabled);
    assert.equal(values.engine, 'valkey');
  }
  const database = only('aws_db_instance', 'history');
  assert.ok(database.storage_encrypted && database.multi_az && database.deletion_protection && database.manage_master_user_password);
  assert.ok(database.backup_retention_period >= 7);
  assert.deepEqual([database.password, database.password_wo], [null, null]);
  assert.equal(only('aws_secretsmanager_secret_rotation', 'database').secret_id, database.master_user_secret[0].secret_arn);
  for (const { values } of all('aws_secretsmanager_secret_version')) assert.equal(values.secret_string, null, 'the state must not hold it');
});

test('no log holds query strings, headers or bodies', { skip }, () => {
  for (const [type, name] of [['aws_api_gateway_stage', 'main'], ['aws_apigatewayv2_stage', 'socket']]) {
    const { format } = only(type, name).access_log_settings[0];
    assert.doesNotMatch(format, /querystring|header|authorizer|\$context\.path\b|extendedRequestId.*body|requestOverride/i);
  }
  const settings = only('aws_api_gateway_method_settings', 'main').settings[0];
  assert.deepEqual([settings.logging_level, settings.data_trace_enabled], ['OFF', false]);
  for (const { values } of all('aws_cloudwatch_log_group')) assert.ok(values.retention_in_days > 0);
});

test('an upgrade starts the new before it stops the old', { skip }, () => {
  for (const { index, values } of all('aws_autoscaling_group')) {
    const [{ strategy, preferences }] = values.instance_refresh;
    assert.deepEqual([strategy, preferences[0].min_healthy_percentage], ['Rolling', 100]);
    assert.ok(preferences[0].auto_rollback && preferences[0].max_healthy_percentage > 100);
    assert.ok(values.min_size >= 2 && values.max_size > values.min_size, index);
  }
  const service = source('deploy/systemd/supernoba-gateway.service');
  const stop = Number(service.match(/TimeoutStopSec=(\d+)/)[1]);
  assert.ok(stop > Number(only('aws_lb_target_group', 'gateway').deregistration_delay));
});

test('every part has an alarm, and every alarm a section of the runbook', { skip }, () => {
  const alarms = all('aws_cloudwatch_metric_alarm');
  const sections = new Set([...source('deploy/runbook.md').matchAll(/^#{2,4} (.+)$/gm)].map(([, title]) => title.toLowerCase()));
  for (const { address, values } of alarms) {
    const [, section] = values.alarm_description.match(/Runbook: (.+)$/) ?? assert.fail(address);
    assert.ok(sections.has(section), `${address}: the runbook has no section ${JSON.stringify(section)}`);
    assert.ok(values.alarm_actions.length > 0 && values.period === 60);
    for (const value of Object.values(values.dimensions)) assert.ok(value, address);
  }
  const watched = new Set(alarms.flatMap(({ values }) => Object.values(values.dimensions)));
  const parts = [
    ...all('aws_kinesis_stream').map(({ values }) => values.name),
    ...all('aws_dynamodb_table').map(({ values }) => values.name),
    ...all('aws_lambda_function').map(({ values }) => values.function_name),
    ...all('aws_sqs_queue').map(({ values }) => values.name),
    ...all('aws_autoscaling_group').map(({ values }) => values.name),
    ...all('aws_elasticache_replication_group').map(({ values }) => values.id),
    only('aws_db_instance', 'history').identifier,
    only('aws_lb', 'main').arn_suffix,
    only('aws_api_gateway_rest_api', 'main').name,
    only('aws_apigatewayv2_api', 'socket').id,
  ];
  assert.deepEqual(parts.filter((part) => !watched.has(part)), []);
});

test('the dashboard shows each chart once', { skip }, () => {
  const { widgets } = JSON.parse(only('aws_cloudwatch_dashboard', 'main').dashboard_body);
  const places = widgets.map(({ x, y }) => `${x},${y}`);
  assert.equal(new Set(places).size, widgets.length);
  for (const { x, width, properties } of widgets) {
    assert.ok(x + width <= 24 && properties.metrics.length > 0, properties.title);
    assert.equal(properties.region, REGION);
  }
  assert.ok(ACCOUNT.length === 12);
});
