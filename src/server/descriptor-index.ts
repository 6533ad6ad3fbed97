import { type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** The files that define a set of services, by everything a reflection client asks for. */
export interface DescriptorIndex {
  readonly serviceNames: readonly string[];
  fileByName(name: string): DescFile | undefined;
  /** `symbol` is the full name of anything: a method, a field and an enum value, too. */
  fileOfSymbol(symbol: string): DescFile | undefined;
  fileOfExtension(messageName: string, number: number): DescFile | undefined;
  /** Numbers of all extensions of a message; undefined if there is no such message. */
  extensionNumbers(messageName: string): readonly number[] | undefined;
  /** A file and all that it imports, directly or not, each once; the file stands first. */
  withDependencies(file: DescFile): readonly DescFile[];
  /** The serialized FileDescriptorProto, encoded once per process. */
  bytes(file: DescFile): Uint8Array;
}

/** Indexes the files of the given services, and all files that those import. */
export function createDescriptorIndex(services: Iterable<DescService>): DescriptorIndex {
  const served = [...services];
  const files = new Map<string, DescFile>();
  for (const service of served) collectFiles(service.file, files);

  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of files.values()) {
    indexSymbols(file, symbols);
    indexExtensions(file, extensions);
  }
  const encoded = new Map<DescFile, Uint8Array>();

  return {
    serviceNames: served.map((service) => service.typeName).sort(),
    fileByName: (name) => files.get(name),
    fileOfSymbol: (symbol) => symbols.get(symbol.replace(/^\./, "")),
    fileOfExtension: (messageName, number) => extensions.get(messageName)?.get(number),
    extensionNumbers: (messageName) =>
      extensions.has(messageName) ? [...(extensions.get(messageName)?.keys() ?? [])] : undefined,
    withDependencies: (file) => [...collectFiles(file, new Map()).values()],
    bytes(file) {
      const known = encoded.get(file);
      if (known !== undefined) return known;
      const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      encoded.set(file, bytes);
      return bytes;
    },
  };
}

function collectFiles(file: DescFile, into: Map<string, DescFile>): Map<string, DescFile> {
  if (into.has(file.proto.name)) return into;
  into.set(file.proto.name, file);
  for (const dependency of file.dependencies) collectFiles(dependency, into);
  return into;
}

function indexSymbols(file: DescFile, symbols: Map<string, DescFile>): void {
  // Read from the descriptor itself, which also has the entry types of maps.
  const scope = file.proto.package === "" ? "" : `${file.proto.package}.`;
  const { messageType, enumType, service, extension } = file.proto;
  const names = [
    ...messageType.flatMap((message) => messageSymbols(scope, message)),
    ...enumType.flatMap((one) => enumSymbols(scope, one)),
    ...extension.map(({ name }) => scope + name),
    ...service.flatMap(({ name, method }) => members(scope + name, method)),
  ];
  for (const name of names) symbols.set(name, file);
}

function messageSymbols(scope: string, message: DescriptorProto): string[] {
  const name = scope + message.name;
  return [
    ...members(name, [...message.field, ...message.oneofDecl, ...message.extension]),
    ...message.nestedType.flatMap((nested) => messageSymbols(`${name}.`, nested)),
    ...message.enumType.flatMap((one) => enumSymbols(`${name}.`, one)),
  ];
}

/** The values of an enum are its siblings, as in C++ (descriptor.proto). */
function enumSymbols(scope: string, { name, value }: EnumDescriptorProto): string[] {
  return [scope + name, ...value.map((one) => scope + one.name)];
}

function members(name: string, own: readonly { readonly name: string }[]): string[] {
  return [name, ...own.map((member) => `${name}.${member.name}`)];
}

function indexExtensions(file: DescFile, extensions: Map<string, Map<number, DescFile>>): void {
  const numbersOf = (message: DescMessage): Map<number, DescFile> => {
    const numbers = extensions.get(message.typeName) ?? new Map<number, DescFile>();
    extensions.set(message.typeName, numbers);
    return numbers;
  };
  for (const type of nestedTypes(file)) {
    if (type.kind === "message") numbersOf(type);
    if (type.kind === "extension") numbersOf(type.extendee).set(type.number, file);
  }
}
