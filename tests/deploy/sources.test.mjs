// The Terraform files as they are written, without Terraform: what is referred to is there, and what is there is of use.

import hcl from '@cdktf/hcl2json';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder } from './terraform.mjs';

const types = JSON.parse(readFileSync(new URL('aws-types.json', import.meta.url), 'utf8'));
const names = readdirSync(folder).filter((name) => name.endsWith('.tf'));
const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await hcl.parse(name, texts[name])])));

function* blocks(kind) {
  for (const [file, content] of Object.entries(files)) {
    for (const [type, byName] of Object.entries(content[kind] ?? {})) {
      for (const [name, bodies] of Object.entries(byName)) for (const body of bodies) yield { file, type, name, body };
    }
  }
}

/** Every expression in a value, as it is written. */
function* expressions(value) {
  if (typeof value === 'string') yield value;
  else if (value && typeof value === 'object') for (const [key, inner] of Object.entries(value)) {
    yield key;
    yield* expressions(inner);
  }
}

const every = Object.values(files).flatMap((content) => [...expressions(content)]).join('\n');
const variables = Object.assign({}, ...Object.values(files).map(({ variable }) => variable ?? {}));
const locals = Object.assign({}, ...Object.values(files).flatMap((content) => content.locals ?? []));

test('every type and attribute is one that AWS knows, and what it requires is given', () => {
  const META = new Set(['for_each', 'count', 'depends_on', 'lifecycle', 'provider', 'dynamic']);
  const check = (place, about, body) => {
    const dynamic = Object.keys(body.dynamic ?? {});
    for (const [key, value] of Object.entries(body)) {
      if (META.has(key)) continue;
      const inner = about.blocks?.[key];
      assert.ok(about.attributes[key] || inner, `${place}: there is no ${key}`);
      assert.ok(!about.attributes[key]?.includes('computed'), `${place}: ${key} is AWS' to say`);
      if (inner) for (const one of [value].flat()) check(`${place}.${key}`, inner, one);
    }
    for (const name of dynamic) assert.ok(about.blocks?.[name], `${place}: there is no ${name}`);
    for (const [key, spelled] of Object.entries(about.attributes)) {
      assert.ok(!spelled.includes('required') || key in body, `${place}: ${key} is missing`);
    }
    for (const [key, inner] of Object.entries(about.blocks ?? {})) assert.ok(!inner.required || key in body || dynamic.includes(key), `${place}: ${key} is missing`);
  };
  let count = 0;
  for (const [kind, known] of [['resource', types.resources], ['data', types.data], ['ephemeral', types.ephemeral]]) {
    for (const { file, type, name, body } of blocks(kind)) {
      assert.ok(known[type], `${file}: ${type} is not in aws-types.json`);
      check(`${file}: ${type}.${name}`, known[type], body);
      count += 1;
    }
  }
  assert.ok(count > 60);
  const used = new Set([...blocks('resource')].map(({ type }) => type));
  assert.deepEqual(Object.keys(types.resources).filter((type) => !used.has(type)), [], 'types that nothing uses any more');
});

test('what is referred to is there', () => {
  const there = new Set([...blocks('resource')].map(({ type, name }) => `${type}.${name}`));
  for (const { type, name } of blocks('data')) there.add(`data.${type}.${name}`);
  for (const { type, name } of blocks('ephemeral')) there.add(`ephemeral.${type}.${name}`);
  for (const [reference, prefix = ''] of every.matchAll(/(data\.|ephemeral\.)?\baws_[a-z0-9_]+\.[a-z0-9_]+/g)) {
    assert.ok(there.has(reference), `${prefix}${reference}`);
  }
  for (const [, name] of every.matchAll(/\bvar\.([a-z0-9_]+)/g)) assert.ok(name in variables, `var.${name}`);
  for (const [, name] of every.matchAll(/\blocal\.([a-z0-9_]+)/g)) assert.ok(name in locals, `local.${name}`);
});

test('what is there is of use', () => {
  for (const name of Object.keys(variables)) assert.match(every, new RegExp(`\\bvar\\.${name}\\b`), `nothing reads var.${name}`);
  for (const name of Object.keys(locals)) assert.match(every, new RegExp(`\\blocal\\.${name}\\b`), `nothing reads local.${name}`);
  const example = readFileSync(join(folder, 'example.tfvars'), 'utf8');
  for (const [name, [{ description, type, default: value }]] of Object.entries(variables)) {
    assert.ok(description && type, `var.${name} has no description or no type`);
    assert.ok(value !== undefined || example.includes(`${name} `), `var.${name} is not in the example`);
  }
  for (const [, name] of example.matchAll(/^(\w+) +=/gm)) assert.ok(name in variables, `the example sets ${name}`);
});

test('there is no secret in the files', () => {
  const start = readFileSync(join(folder, 'start.sh.tftpl'), 'utf8');
  for (const [name, text] of Object.entries({ ...texts, 'start.sh.tftpl': start, 'example.tfvars': readFileSync(join(folder, 'example.tfvars'), 'utf8') })) {
    assert.doesNotMatch(text, /AKIA[0-9A-Z]{16}|-----BEGIN|eyJ[A-Za-z0-9_-]{10,}\.|sb_secret_|xox[bp]-/, name);
    assert.doesNotMatch(text, /^\s*(password|auth_token|secret_string|secret_string_wo)\s*=\s*"/m, name);
  }
  // A value of these comes from Secrets Manager or is never written down.
  for (const { file, type, name, body } of blocks('resource')) {
    for (const key of ['password', 'auth_token', 'secret_string', 'secret_string_wo']) {
      if (key in body) assert.match(body[key], /^\$\{(data\.aws_secretsmanager_secret_version|ephemeral\.)/, `${file}: ${type}.${name}.${key}`);
    }
  }
});

test('what must not be lost is kept from being destroyed', () => {
  const kept = new Set(['aws_kinesis_stream', 'aws_dynamodb_table', 'aws_db_instance', 'aws_s3_bucket']);
  for (const { type, name, body } of blocks('resource')) {
    if (kept.has(type)) assert.equal(body.lifecycle?.[0]?.prevent_destroy, true, `${type}.${name}`);
  }
});
