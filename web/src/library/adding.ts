// Recordings that are brought here, to be read as was chosen.
import { useQueryClient } from "@tanstack/react-query";
import { storedChoices, wantedOf } from "./choices";
import { transcribe } from "./uploads";

export function useAdd() {
  const client = useQueryClient();
  return (files: Iterable<File>) => {
    const wanted = wantedOf(storedChoices());
    for (const file of files) void transcribe(file, wanted, () => void client.invalidateQueries({ queryKey: ["transcriptions"] }));
  };
}
