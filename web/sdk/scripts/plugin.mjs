// A plugin for buf: writes the messages of the protocol as TypeScript types and
// tables for src/codec.ts. protobuf-es' own output needs its whole reflection
// (23 KB gzip) and gives 64-bit numbers as bigint.

import { ScalarType } from '@bufbuild/protobuf';
import { createEcmaScriptPlugin, runNodeJs } from '@bufbuild/protoplugin';

// The letters that src/codec.ts knows, and the types in TypeScript.
const SCALARS = {
  [ScalarType.UINT32]: ['u', 'number'],
  [ScalarType.UINT64]: ['U', 'number'],
  [ScalarType.BOOL]: ['o', 'boolean'],
  [ScalarType.STRING]: ['s', 'string'],
  [ScalarType.BYTES]: ['b', 'Uint8Array'],
};

function scalar(field) {
  const found = SCALARS[field.scalar];
  if (!found) throw new Error(`${field}: src/codec.ts doesn't know this type`);
  return found;
}

/** The table's letter for a field's type (none for a message), and the type in TypeScript. */
function types(field) {
  const kind = field.fieldKind === 'list' ? field.listKind : field.fieldKind;
  if (kind === 'message') return [undefined, field.message.name];
  // One that is newer than this build is a number as well.
  if (kind === 'enum') return ['e', 'number'];
  if (kind === 'scalar') return scalar(field);
  throw new Error(`${field}: src/codec.ts doesn't know this kind`);
}

/** The fields as src/codec.ts reads them: the number where it is not the next, the name, what differs from before. */
function table(message) {
  const inner = [];
  let next = 1;
  let before;
  const sorted = [...message.fields].sort((a, b) => a.number - b.number);
  const fields = sorted.map((field) => {
    const number = field.number === next ? '' : field.number;
    next = field.number + 1;
    const letter = types(field)[0];
    if (!letter) inner.push(field.message.name);
    const optional = field.presence !== 2 ? '?' : '';
    const shape =
      field.fieldKind === 'list' ? '*' : field.oneof ? `=${field.oneof.localName}` : optional;
    const type = `${letter ?? 'm'}${shape}`;
    const same = type === before;
    before = type;
    return `${number}${field.localName}${same ? '' : ` ${type}`}`;
  });
  const rest = inner.length > 0 ? `, [${inner.join(', ')}]` : '';
  return `'${fields.join(',')}'${rest}`;
}

function printMessage(f, message) {
  f.print(f.jsDoc(message));
  f.print(`export interface ${message.name} {`);
  for (const member of message.members) {
    if (member.kind === 'oneof') {
      f.print(`  ${member.localName}?:`);
      for (const field of member.fields) {
        f.print(f.jsDoc(field, '    '));
        f.print(`    | { case: '${field.localName}'; value: ${types(field)[1]} }`);
      }
      f.print('    | undefined;');
      continue;
    }
    f.print(f.jsDoc(member, '  '));
    const type = types(member)[1];
    const optional = member.presence !== 2 && member.fieldKind !== 'list';
    if (member.fieldKind === 'list') f.print(`  ${member.localName}: ${type}[];`);
    else if (optional) f.print(`  ${member.localName}?: ${type} | undefined;`);
    else f.print(`  ${member.localName}: ${type};`);
  }
  f.print('}');
  f.print(`export const ${message.name}: Schema<${message.name}> = /* @__PURE__ */ schema(`);
  f.print(`  ${table(message)},`);
  f.print(');');
  f.print('');
}

/**
 * An enum is a file of constants, which a bundler puts in their places; as an
 * object it would be in every client whole.
 */
function printEnum(schema, it) {
  const f = schema.generateFile(enumFile(it));
  f.print('// Made by scripts/plugin.mjs from the .proto files; not edited by hand.');
  f.print('');
  for (const value of it.values) {
    f.print(f.jsDoc(value));
    f.print(`export const ${value.localName} = ${value.number};`);
  }
  const numbers = it.values.map((value) => value.number).filter((number) => number !== 0);
  f.print('/** The numbers that this build knows. */');
  f.print(`export const KNOWN: readonly number[] = [${numbers.join(', ')}];`);
}

function enumFile(it) {
  return `${it.name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.ts`;
}

function generate(schema) {
  const f = schema.generateFile('wire.ts');
  f.print('// Made by scripts/plugin.mjs from the .proto files; not edited by hand.');
  f.print("import { type Schema, schema } from '../codec.ts';");
  f.print('');
  const files = schema.allFiles.filter((file) => file.proto.package === 'parley.v1');
  for (const file of files) {
    for (const it of file.enums) {
      printEnum(schema, it);
      f.print(f.jsDoc(it));
      f.print(`export * as ${it.name} from './${enumFile(it)}';`);
      f.print('');
    }
  }
  // A table names the tables inside it, so those come first.
  const done = new Set();
  const visit = (message) => {
    if (done.has(message)) return;
    done.add(message);
    for (const field of message.fields) if (field.message) visit(field.message);
    printMessage(f, message);
  };
  for (const file of files) for (const message of file.messages) visit(message);
}

runNodeJs(
  createEcmaScriptPlugin({ name: 'protoc-gen-parley', version: 'v1', generateTs: generate }),
);
