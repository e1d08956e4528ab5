// The units, the container file, the scripts and the runbook.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { source } from './code.mjs';
import { root } from './terraform.mjs';

const units = readdirSync(join(root, 'deploy/systemd')).filter((name) => /\.(service|timer)$/.test(name));
const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const skip = analyze.error && 'there is no systemd-analyze on this machine';
const temporary = (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'supernoba-deploy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

test('systemd takes the units, and they are closed', { skip }, (t) => {
  const folder = temporary(t);
  const copies = units.map((name) => {
    // The programs are on the nodes, not here.
    const text = source(`deploy/systemd/${name}`).replaceAll(/\/usr\/local\/bin\/[\w-]+/g, '/bin/true');
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  });
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...copies], { encoding: 'utf8' });
  assert.equal(verified.status, 0, verified.stderr);
  assert.equal(verified.stderr.trim(), '');
  for (const copy of copies.filter((path) => path.endsWith('.service'))) {
    const rated = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=20', copy], { encoding: 'utf8' });
    assert.equal(rated.status, 0, rated.stdout.split('\n').slice(-3).join('\n') + rated.stderr);
  }
});

test('units run the program as nobody special, with what a node is given', () => {
  for (const role of ['engine', 'gateway', 'streamer']) {
    const unit = source(`deploy/systemd/supernoba-${role}.service`);
    assert.match(unit, new RegExp(`^ExecStart=/usr/local/bin/supernoba ${role} --config /etc/supernoba/supernoba\\.toml$`, 'm'));
    assert.match(unit, new RegExp(`^ExecStartPre=/usr/local/bin/supernoba config check --role ${role} --config /etc/supernoba/supernoba\\.toml$`, 'm'));
    for (const line of ['User=supernoba', 'Requires=supernoba-secrets.service', 'EnvironmentFile=/etc/supernoba/node.env', 'EnvironmentFile=/run/supernoba/secrets.env', 'Restart=always']) {
      assert.ok(unit.split('\n').includes(line), `${role}: ${line}`);
    }
  }
  const flags = new Set([...source('engine-host/src/up.rs').matchAll(/^    pub (\w+): /gm)].map(([, name]) => `--${name.replaceAll('_', '-')}`));
  for (const text of [source('deploy/systemd/supernoba-up.service').match(/^ExecStart=.*$/m)[0], source('deploy/container/Containerfile').match(/^CMD \["up".*$/m)[0]]) {
    for (const [flag] of text.matchAll(/--[a-z-]+/g)) assert.ok(flags.has(flag), `supernoba up has no ${flag}`);
    assert.match(text, /--no-test-mode/);
  }
  const start = source('deploy/terraform/start.sh.tftpl');
  for (const name of units.filter((name) => name !== 'supernoba-up.service')) {
    assert.ok(start.includes(name) || start.includes('supernoba-$role.service'), name);
  }
});

function fetchSecrets(t, secrets, list) {
  const folder = temporary(t);
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  // Stands for the AWS client: the last word of an ARN is a file's name.
  writeFileSync(join(bin, 'aws'), `#!/bin/bash\nwhile [ $# -gt 0 ]; do if [ "$1" = --secret-id ]; then id=$2; fi; shift; done\ncat "${folder}/\${id##*:}"\n`);
  writeFileSync(join(bin, 'systemctl'), `#!/bin/bash\necho "$@" >> "${folder}/systemctl.log"\n`);
  for (const name of ['aws', 'systemctl']) chmodSync(join(bin, name), 0o755);
  writeFileSync(join(folder, 'list'), list);
  const file = join(folder, 'secrets.env');
  return {
    file,
    log: () => (existsSync(join(folder, 'systemctl.log')) ? readFileSync(join(folder, 'systemctl.log'), 'utf8') : ''),
    run: (values) => {
      for (const [name, value] of Object.entries(values)) writeFileSync(join(folder, name), value);
      const env = { PATH: `${bin}:${process.env.PATH}`, AWS_REGION: 'ap-northeast-2' };
      return spawnSync('bash', [join(root, 'deploy/systemd/fetch-secrets'), join(folder, 'list'), file], { encoding: 'utf8', env });
    },
  };
}

test('secrets are fetched, kept from others, and services started anew only when one has changed', (t) => {
  const fetching = fetchSecrets(t, {}, 'CACHE_PASSWORD arn:one\nSUPABASE_ANON_KEY arn:two\n\n');
  const first = fetching.run({ one: 'abc123\n', two: 'eyJ.a_b-c=\n' });
  assert.equal(first.status, 0, first.stderr);
  assert.equal(readFileSync(fetching.file, 'utf8'), 'CACHE_PASSWORD=abc123\nSUPABASE_ANON_KEY=eyJ.a_b-c=\n');
  assert.equal(statSync(fetching.file).mode & 0o777, 0o600);
  assert.equal(fetching.run({}).status, 0);
  assert.equal(fetching.log(), '', 'nothing has changed');
  assert.equal(fetching.run({ one: 'def456' }).status, 0);
  assert.match(fetching.log(), /try-restart/);
  assert.match(readFileSync(fetching.file, 'utf8'), /def456/);
});

test('a secret that is empty, or would become more than a value, is refused and the old ones stay', (t) => {
  const fetching = fetchSecrets(t, {}, 'CACHE_PASSWORD arn:one\n');
  assert.equal(fetching.run({ one: 'good' }).status, 0);
  for (const bad of ['', 'two words', 'a\nB=c', '$(id)', '"x"', 'a;b', '`x`']) {
    const refused = fetching.run({ one: bad });
    assert.notEqual(refused.status, 0, JSON.stringify(bad));
    assert.match(refused.stderr, /CACHE_PASSWORD/);
    assert.equal(readFileSync(fetching.file, 'utf8'), 'CACHE_PASSWORD=good\n');
  }
  assert.deepEqual(readdirSync(join(fetching.file, '..')).filter((name) => name.startsWith('secrets.env')), ['secrets.env'], 'nothing is left lying about');
});

test('the container file builds what there is, and runs as nobody', () => {
  const text = source('deploy/container/Containerfile').replaceAll(/\\\n/g, ' ');
  const stages = new Map();
  let last;
  for (const line of text.split('\n').filter((one) => one && !one.startsWith('#'))) {
    const [instruction, ...rest] = line.trim().split(/\s+/);
    assert.match(instruction, /^(FROM|RUN|COPY|WORKDIR|USER|STOPSIGNAL|ENTRYPOINT|CMD|EXPOSE|VOLUME)$/, line);
    if (instruction === 'FROM') {
      last = rest[2];
      assert.equal(rest[1], 'AS', 'each stage has a name');
      // Ours, or a version of somebody's: never whatever is newest.
      assert.ok(stages.has(rest[0]) || rest[0] === 'scratch' || /:\d|:bookworm/.test(rest[0]), line);
      stages.set(last, { from: rest[0], lines: [] });
      continue;
    }
    stages.get(last).lines.push(line.trim());
    if (instruction === 'COPY') {
      const from = rest.find((word) => word.startsWith('--from='))?.slice(7);
      const paths = rest.filter((word) => !word.startsWith('--')).slice(0, -1);
      if (from) assert.ok(stages.has(from), `${line}: no such stage`);
      else for (const path of paths) assert.ok(existsSync(join(root, path)), `${line}: there is no ${path}`);
    }
  }
  assert.equal(last, 'up', 'what is built where no target is named');
  const run = stages.get('run');
  assert.ok(run.lines.some((line) => /^USER [1-9]\d*:[1-9]\d*$/.test(line)));
  for (const role of ['engine', 'gateway', 'streamer', 'up']) {
    assert.equal(stages.get(role).from, 'run');
    assert.ok(stages.get(role).lines.some((line) => line.startsWith(`CMD ["${role}"`)), role);
  }
  // The packages, programs and chores that it names are the repository's.
  const xtask = source('xtask/src/main.rs');
  for (const [, chore] of text.matchAll(/cargo xtask (\w+)/g)) assert.match(xtask, new RegExp(`^        "${chore}" =>`, 'm'), chore);
  const [, crate, binary] = text.match(/-p ([\w-]+) --bin ([\w-]+)/);
  assert.match(source(`${crate}/Cargo.toml`), new RegExp(`\\[\\[bin\\]\\]\\s+name = "${binary}"`));
  for (const [folder, where] of [['target/components', 'xtask/src/components.rs'], ['web/dist', 'xtask/src/web.rs'], ['target/aws-lambda/supernoba.zip', 'xtask/src/lambda.rs']]) {
    assert.ok(text.includes(folder) && source(where).includes(folder), folder);
  }
  const rust = source('Cargo.toml').match(/rust-version = "([\d.]+)"/)[1];
  assert.ok(text.includes(`FROM rust:${rust}-`), `the workspace needs Rust ${rust}`);
  const ignored = source('deploy/container/Containerfile.dockerignore').split('\n');
  for (const path of ['target', '.git', 'data', '**/node_modules']) assert.ok(ignored.includes(path), path);
});

test('scripts are sound', () => {
  const checked = spawnSync('bash', ['-n', join(root, 'deploy/systemd/fetch-secrets')], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stderr);
  assert.match(source('deploy/systemd/fetch-secrets'), /^set -euo pipefail$/m);
  assert.match(source('deploy/terraform/start.sh.tftpl'), /^set -euo pipefail$/m);
});

test('the runbook names what there is', () => {
  const text = source('deploy/runbook.md');
  for (const [, path] of text.matchAll(/\]\((?!http|#)([^)#]+)/g)) assert.ok(existsSync(join(root, 'deploy', path)), path);
  const titles = new Set([...text.matchAll(/^#{2,4} (.+)$/gm)].map(([, title]) => title.toLowerCase().replaceAll(/[^\w -]/g, '').replaceAll(' ', '-')));
  for (const [, anchor] of text.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(titles.has(anchor), `#${anchor}`);
  const variables = source('deploy/terraform/variables.tf');
  for (const [, name] of text.matchAll(/-var=?'? ?(\w+)=/g)) assert.match(variables, new RegExp(`variable "${name}"`), name);
  for (const [, unit] of text.matchAll(/(supernoba-(?:engine|gateway|streamer|secrets|up)\.(?:service|timer))/g)) assert.ok(units.includes(unit), unit);
  const xtask = source('xtask/src/main.rs');
  for (const [, chore] of text.matchAll(/cargo xtask (\w+)/g)) assert.match(xtask, new RegExp(`^        "${chore}" =>`, 'm'), chore);
  const known = new Set([...source('engine-host/src/main.rs').matchAll(/Command::(\w+)/g)].map(([, name]) => name.toLowerCase()));
  for (const [, command] of text.matchAll(/(?<![\w/.-])supernoba ([a-z]+)(?= |`|$)/gm)) assert.ok(known.has(command), `supernoba ${command}`);
  const terraform = readdirSync(join(root, 'deploy/terraform')).filter((name) => name.endsWith('.tf')).map((name) => source(`deploy/terraform/${name}`)).join('\n');
  for (const [, name] of text.matchAll(/`(supernoba[/-][a-z/-]+[a-z])`/g)) {
    const parts = name.replace(/^supernoba[/-]/, '');
    assert.ok(terraform.includes(name) || terraform.includes(`${parts} `) || terraform.includes(`"${parts}"`) || source('deploy/runbook.md').includes(`target ${name}`), name);
  }
});
