// Recordings are dropped anywhere on the page; folders, too. Whoever drops them sees next how they come in.
import { useMatch, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { t } from "../strings";
import { useAdd } from "./adding";

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return file.name.startsWith(".") ? [] : [file];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const one of some) found.push(...(await filesOf(one)));
  }
}

export function DropZone({ children }: { children: ReactNode }) {
  const [over, setOver] = useState(false);
  const add = useAdd();
  const navigate = useNavigate();
  const atLibrary = useMatch({ from: "/", shouldThrow: false }) !== undefined;
  const take = useRef<(files: File[]) => void>(undefined);
  take.current = (files) => {
    if (files.length === 0) return;
    add(files);
    if (!atLibrary) void navigate({ to: "/" });
  };
  useEffect(() => {
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    function enter(event: DragEvent) {
      if (!hasFiles(event)) return;
      depth += 1;
      setOver(true);
    }
    function leave(event: DragEvent) {
      if (!hasFiles(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    }
    function move(event: DragEvent) {
      if (hasFiles(event)) event.preventDefault();
    }
    function drop(event: DragEvent) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      // Entries are there only until this returns.
      const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
      const plain = [...(event.dataTransfer?.files ?? [])];
      if (entries.length === 0) take.current?.(plain);
      else void Promise.all(entries.map(filesOf)).then((found) => take.current?.(found.flat()));
    }
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", move);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", move);
      window.removeEventListener("drop", drop);
    };
  }, []);
  return (
    <>
      {children}
      {over && (
        <div className="drop" aria-hidden="true">
          <p>{t.dropHere}</p>
        </div>
      )}
    </>
  );
}
