// Runs Terraform on a copy of deploy/terraform, with the provider that stands for AWS'.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from './provider.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const folder = join(root, 'deploy/terraform');
export const program = process.env.TERRAFORM ?? 'terraform';

/** Why there is no planning on this machine; undefined where there is. */
export function missing() {
  const said = spawnSync(program, ['version', '-json'], { encoding: 'utf8', env: { ...process.env, CHECKPOINT_DISABLE: '1' } });
  if (said.error || said.status !== 0) return `${program} does not run`;
  const [major, minor] = JSON.parse(said.stdout).terraform_version.split('.').map(Number);
  return major > 1 || minor >= 11 ? undefined : `${program} is ${major}.${minor}, and 1.11 is needed`;
}

const given = (variables) => Object.entries(variables).map(([name, value]) => `-var=${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);

export class Workspace {
  static async open() {
    const workspace = new Workspace();
    workspace.folder = mkdtempSync(join(tmpdir(), 'supernoba-terraform-'));
    workspace.provider = await serve();
    // What is left of an earlier run on the real cloud does not belong here.
    const ours = (path) => !/\.terraform|\.tfstate/.test(path.slice(folder.length));
    cpSync(folder, workspace.folder, { recursive: true, filter: ours });
    writeFileSync(join(workspace.folder, 'override.tf'), 'terraform {\n  backend "local" {}\n}\n');
    const { code, output } = await workspace.run('init', '-input=false', '-no-color');
    if (code !== 0) throw new Error(output);
    return workspace;
  }

  /** Asynchronously: the provider that it talks to lives in this process. */
  run(...args) {
    return new Promise((resolve, reject) => {
      const env = {
        PATH: process.env.PATH,
        HOME: this.folder,
        CHECKPOINT_DISABLE: '1',
        TF_IN_AUTOMATION: '1',
        TF_REATTACH_PROVIDERS: this.provider.reattach,
      };
      const child = spawn(program, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let [stdout, output] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text) => ((stdout += text), (output += text)));
      child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout, output }));
    });
  }

  /** The managed resources of a plan with their values; variables are added to the example's. Of everything, or of one target. */
  async plan(variables = {}, target = undefined) {
    const planned = await this.run('plan', '-input=false', '-no-color', '-lock=false', '-var-file=example.tfvars', '-out=plan', ...(target ? [`-target=${target}`] : []), ...given(variables));
    if (planned.code !== 0) throw new Error(planned.output);
    const shown = await this.run('show', '-json', 'plan');
    if (shown.code !== 0) throw new Error(shown.output);
    const { resources } = JSON.parse(shown.stdout).planned_values.root_module;
    return resources.filter(({ mode }) => mode === 'managed');
  }

  /** Whether these variables are taken, beside the example's: planned with nothing but the variables, which is quick. */
  async settings(variables) {
    const alone = join(this.folder, 'settings');
    mkdirSync(alone, { recursive: true });
    for (const name of ['variables.tf', 'example.tfvars']) cpSync(join(folder, name), join(alone, name));
    const names = [...readFileSync(join(folder, 'variables.tf'), 'utf8').matchAll(/^variable "(\w+)"/gm)].map(([, name]) => `var.${name}`);
    writeFileSync(join(alone, 'all.tf'), `output "all" {\n  value = [${names.join(', ')}]\n}\n`);
    const planned = await this.run('-chdir=settings', 'plan', '-input=false', '-no-color', '-lock=false', '-var-file=example.tfvars', ...given(variables));
    if (planned.code !== 0) throw new Error(planned.output);
  }

  close() {
    this.provider.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
