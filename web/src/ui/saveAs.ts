// Puts what was fetched among the person's downloads.
export function saveAs(what: Blob, name: string) {
  const url = URL.createObjectURL(what);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
