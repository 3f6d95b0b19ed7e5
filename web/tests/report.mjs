// What the project's other tests print: a line for each test, and why it failed.
export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type === "test:stdout") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    const name = `Page.${data.name}`;
    const ms = Math.round(data.details?.duration_ms ?? 0);
    if (data.skip !== undefined) yield `${data.skip}\n[  SKIPPED ] ${name} (${ms} ms)\n`;
    else if (type === "test:pass") yield `[       OK ] ${name} (${ms} ms)\n`;
    else yield `${data.details?.error?.cause?.stack ?? data.details?.error?.message ?? ""}\n[  FAILED  ] ${name} (${ms} ms)\n`;
  }
}
