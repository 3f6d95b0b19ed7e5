// The browser's own way to choose recordings, for buttons that open it.
import type { RefObject } from "react";

export function FileInput({ input, onFiles, id }: { input: RefObject<HTMLInputElement | null>; onFiles: (files: File[]) => void; id?: string }) {
  return (
    <input
      ref={input}
      type="file"
      multiple
      hidden
      accept="audio/*,video/*"
      data-testid={id}
      onChange={(event) => {
        onFiles([...(event.target.files ?? [])]);
        // So that the same file can be chosen again.
        event.target.value = "";
      }}
    />
  );
}
