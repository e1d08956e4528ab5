// Stands for the AWS provider while Terraform validates and plans: it knows the types (aws-types.json) and makes up, from a resource's own
// name, what AWS would say. So a plan is whole and the same each time, and nothing is asked of any network.

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { decode, encode } from '@msgpack/msgpack';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const types = JSON.parse(readFileSync(here('aws-types.json'), 'utf8'));
const NESTING = { single: 1, list: 2, set: 3, map: 4 };
export const ACCOUNT = '123456789012';
export const REGION = 'ap-northeast-2';

const cty = (type) => Buffer.from(JSON.stringify(type.includes(' ') ? type.split(' ') : type));

function attribute([name, spelled]) {
  const words = spelled.split(' ');
  const required = words.includes('required');
  const computed = words.includes('computed');
  const type = words.filter((word) => word !== 'required' && word !== 'computed').join(' ');
  // Both are given by AWS where nobody sets them.
  const known = !required && (name === 'id' || name === 'arn');
  return {
    name,
    type: cty(type),
    required,
    optional: !required && !computed,
    computed: computed || known,
    write_only: name.endsWith('_wo'),
  };
}

function block(about) {
  return {
    attributes: Object.entries(about.attributes ?? {}).map(attribute),
    block_types: Object.entries(about.blocks ?? {}).map(([name, inner]) => ({
      type_name: name,
      block: block(inner),
      nesting: NESTING[inner.nesting],
      min_items: inner.required && inner.nesting !== 'single' ? 1 : 0,
      max_items: inner.most ?? 0,
    })),
  };
}

const schemas = (of) => Object.fromEntries(Object.entries(of).map(([name, about]) => [name, { version: 0, block: block(about) }]));

const PROVIDER = {
  attributes: { region: 'string' },
  blocks: { default_tags: { nesting: 'list', most: 1, attributes: { tags: 'map string' } } },
};

const NAMES = ['name', 'bucket', 'function_name', 'identifier', 'replication_group_id', 'dashboard_name', 'alarm_name', 'path_part', 'route_key'];

function named(type, values) {
  const name = NAMES.map((key) => values[key]).find((value) => typeof value === 'string');
  if (name) return name;
  // Whatever it is made of tells it from its like.
  let hash = 7;
  for (const byte of encode(values, { sortKeys: true })) hash = (hash * 31 + byte) >>> 0;
  return hash.toString(36);
}

/** As AWS writes it, where the tests look; elsewhere only distinct. */
function arn(type, name) {
  const kind = type.replace(/^aws_/, '');
  switch (type) {
    case 'aws_s3_bucket':
      return `arn:aws:s3:::${name}`;
    case 'aws_kinesis_stream':
      return `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${name}`;
    case 'aws_dynamodb_table':
      return `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`;
    case 'aws_lambda_function':
      return `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
    default:
      return `arn:aws:${kind.replace(/_.*/, '')}:${REGION}:${ACCOUNT}:${kind}/${name}`;
  }
}

const SECRET = ['list', ['object', { kms_key_id: 'string', secret_arn: 'string', secret_status: 'string' }]];

function madeUp(type, key, spelled, name) {
  if (key === 'arn') return arn(type, name);
  if (key === 'master_user_secret') {
    const value = [{ kms_key_id: 'key', secret_arn: arn('aws_secretsmanager_secret', `rds-${name}`), secret_status: 'active' }];
    return [Buffer.from(JSON.stringify(SECRET)), value];
  }
  if (key === 'account_id') return ACCOUNT;
  if (key === 'secret_string' || key === 'random_password') return `made-up-${name}`;
  if (key === 'invoke_arn') return `arn:aws:apigateway:${REGION}:lambda:path/2015-03-31/functions/${arn(type, name)}/invocations`;
  if (key === 'execution_arn') return `arn:aws:execute-api:${REGION}:${ACCOUNT}:${name}`;
  if (spelled.startsWith('string')) return `${key}-of-${name}`;
  if (spelled.startsWith('number')) return 1;
  if (spelled.startsWith('bool')) return false;
  if (spelled.startsWith('map')) return {};
  // Nothing is known of its inside, and nothing may be asked of it.
  return spelled.startsWith('dynamic') ? null : [];
}

function filled(type, about, values) {
  const name = named(type, values);
  const whole = { ...values };
  for (const [key, spelled] of Object.entries(about.attributes)) {
    const given = spelled.includes('computed') || key === 'id' || key === 'arn';
    const reads = values[key] === null && (given || key === 'secret_string' || key === 'insecure_value');
    if (reads) whole[key] = madeUp(type, key, spelled, name);
    if (key.endsWith('_wo')) whole[key] = null;
  }
  return whole;
}

const read = (value) => decode(value.msgpack);
const written = (value) => ({ msgpack: Buffer.from(encode(value)) });

const answers = {
  GetSchema: () => ({
    provider: { version: 0, block: block(PROVIDER) },
    resource_schemas: schemas(types.resources),
    data_source_schemas: schemas(types.data),
    ephemeral_resource_schemas: schemas(types.ephemeral),
  }),
  PrepareProviderConfig: ({ config }) => ({ prepared_config: config }),
  ValidateResourceTypeConfig: () => ({}),
  ValidateDataSourceConfig: () => ({}),
  ValidateEphemeralResourceConfig: () => ({}),
  Configure: () => ({}),
  ReadDataSource: ({ type_name, config }) => ({ state: written(filled(type_name, types.data[type_name], read(config))) }),
  PlanResourceChange: ({ type_name, proposed_new_state }) => {
    const proposed = read(proposed_new_state);
    // A resource that goes has no new state.
    if (proposed === null) return { planned_state: written(null) };
    const about = types.resources[type_name];
    const planned = filled(type_name, about, proposed);
    // A secret that is set is as it was set.
    if ('secret_string' in proposed) planned.secret_string = proposed.secret_string;
    return { planned_state: written(planned) };
  },
  OpenEphemeralResource: ({ type_name, config }) => ({ result: written(filled(type_name, types.ephemeral[type_name], read(config))) }),
  CloseEphemeralResource: () => ({}),
  Stop: () => ({}),
};

/** Serves on a free port; `reattach` is what Terraform has to be told (TF_REATTACH_PROVIDERS). */
export async function serve() {
  const definition = loader.loadSync(here('provider.proto'), { keepCase: true, longs: Number, defaults: true });
  const { Provider } = grpc.loadPackageDefinition(definition).tfplugin5;
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const methods = Object.entries(answers).map(([name, answer]) => [
    name,
    (call, done) => {
      try {
        done(null, answer(call.request));
      } catch (error) {
        done({ code: grpc.status.INTERNAL, details: `${name} ${call.request.type_name ?? ''}: ${error.stack}` });
      }
    },
  ]);
  server.addService(Provider.service, Object.fromEntries(methods));
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const reattach = JSON.stringify({
    'hashicorp/aws': {
      Protocol: 'grpc',
      ProtocolVersion: 5,
      Pid: process.pid,
      Test: true,
      Addr: { Network: 'tcp', String: `127.0.0.1:${port}` },
    },
  });
  return { reattach, stop: () => server.forceShutdown() };
}
