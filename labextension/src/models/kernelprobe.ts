import type { Kernel, KernelMessage } from '@jupyterlab/services';

/** What a Python kernel says about itself. */
export interface IKernelAnswer {
  prefix: string | null;
}

/** Answer of a kernel that could not be asked now (busy without subshells, dead, not Python). */
export const NOT_NOW = Symbol('not now');

/** Time a kernel gets to answer a question, in milliseconds. */
const TIMEOUT = 4000;

const IDENTIFIER = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;

/**
 * Evaluate expressions in a kernel without touching its history, its output or its execution count.
 *
 * An idle kernel is asked directly. A busy one is asked on a subshell, so a running cell delays nothing; a busy kernel without
 * subshells is not asked.
 */
export async function evaluate(
  kernel: Kernel.IKernelConnection,
  expressions: Record<string, string>
): Promise<Record<string, string> | typeof NOT_NOW> {
  if (kernel.isDisposed || kernel.status === 'dead') {
    return NOT_NOW;
  }
  if (kernel.status === 'idle') {
    return ask(kernel, expressions);
  }
  if (!kernel.supportsSubshells) {
    return NOT_NOW;
  }
  const connection = kernel.clone({ handleComms: false });
  try {
    const reply = await kernel.requestCreateSubshell({}).done;
    const content = reply.content as { status: string; subshell_id?: string };
    if (content.status !== 'ok' || !content.subshell_id) {
      return NOT_NOW;
    }
    connection.subshellId = content.subshell_id;
    const answer = await ask(connection, expressions);
    await kernel.requestDeleteSubshell({ subshell_id: content.subshell_id }).done;
    return answer;
  } catch {
    return NOT_NOW;
  } finally {
    connection.dispose();
  }
}

/** `sys.prefix` of a Python kernel. */
export async function askPrefix(kernel: Kernel.IKernelConnection): Promise<string | null> {
  const answer = await evaluate(kernel, { prefix: "__import__('sys').prefix" });
  return answer === NOT_NOW || !answer.prefix ? null : parseLiteral(answer.prefix);
}

/** Which of `names` the kernel has imported already. */
export async function askLoaded(
  kernel: Kernel.IKernelConnection,
  names: readonly string[]
): Promise<string[] | typeof NOT_NOW> {
  const safe = names.filter(name => name.split('.').every(part => IDENTIFIER.test(part)));
  if (safe.length === 0) {
    return [];
  }
  const expression = `__import__('json').dumps([n for n in ${JSON.stringify(safe)} if n in __import__('sys').modules])`;
  const answer = await evaluate(kernel, { loaded: expression });
  if (answer === NOT_NOW || !answer.loaded) {
    return NOT_NOW;
  }
  const text = parseLiteral(answer.loaded);
  return typeof text === 'string' ? (JSON.parse(text) as string[]) : NOT_NOW;
}

/** Time a kernel gets to tell its modules: a plan waits for them, and can do without. */
const MODULES_TIMEOUT = 1500;

/** Top names of everything a Python kernel has imported; empty when it cannot be asked now or does not answer soon. */
export function askModules(kernel: Kernel.IKernelConnection): Promise<string[]> {
  const late = new Promise<string[]>(resolve => window.setTimeout(() => resolve([]), MODULES_TIMEOUT));
  return Promise.race([readModules(kernel).catch(() => []), late]);
}

async function readModules(kernel: Kernel.IKernelConnection): Promise<string[]> {
  const expression =
    "__import__('json').dumps(sorted({n.partition('.')[0] for n in list(__import__('sys').modules)})[:5000])";
  const answer = await evaluate(kernel, { modules: expression });
  const text = answer === NOT_NOW || !answer.modules ? null : parseLiteral(answer.modules);
  try {
    const names: unknown = text === null ? [] : JSON.parse(text);
    return Array.isArray(names) ? names.filter(name => typeof name === 'string') : [];
  } catch {
    return [];
  }
}

/** Make packages installed a moment ago importable in a running Python kernel. */
export async function invalidateCaches(kernel: Kernel.IKernelConnection): Promise<void> {
  await evaluate(kernel, { done: "__import__('importlib').invalidate_caches()" });
}

async function ask(
  kernel: Kernel.IKernelConnection,
  expressions: Record<string, string>
): Promise<Record<string, string> | typeof NOT_NOW> {
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    user_expressions: expressions
  });
  let timer = 0;
  const late = new Promise<typeof NOT_NOW>(resolve => {
    timer = window.setTimeout(() => resolve(NOT_NOW), TIMEOUT);
  });
  try {
    const reply = await Promise.race([future.done, late]);
    if (reply === NOT_NOW) {
      return NOT_NOW;
    }
    return texts(reply.content);
  } catch {
    return NOT_NOW;
  } finally {
    window.clearTimeout(timer);
    future.dispose();
  }
}

function texts(content: KernelMessage.IExecuteReplyMsg['content']): Record<string, string> {
  const found: Record<string, string> = {};
  if (content.status !== 'ok') {
    return found;
  }
  for (const [key, value] of Object.entries(content.user_expressions ?? {})) {
    const result = value as { status?: string; data?: Record<string, string> };
    if (result.status === 'ok' && result.data) {
      found[key] = String(result.data['text/plain']);
    }
  }
  return found;
}

/** The value of a Python string literal as `repr` writes it; null for anything else. */
export function parseLiteral(repr: string): string | null {
  const match = /^(['"])([\s\S]*)\1$/.exec(repr.trim());
  if (!match) {
    return null;
  }
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };
  return match[2].replace(/\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)/g, (whole, code: string) => {
    if (code.length > 1) {
      return String.fromCodePoint(parseInt(code.slice(1), 16));
    }
    return escapes[code] ?? whole;
  });
}
