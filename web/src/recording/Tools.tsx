// What else is done with a transcript: taken along, looked through, read in its older versions.
import { useQuery } from "@tanstack/react-query";
import { ask, type Transcription } from "../api/client";
import { moment } from "../format";
import { t } from "../strings";
import { IconButton, Menu, MenuItem, MenuLabel, MenuLine, Button, messageOf } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { saveAs } from "../ui/saveAs";
import { toast } from "../ui/toasts";
import { versionsOf, type Panel } from "./TranscriptView";

const formats = [
  ["md", "Markdown"],
  ["docx", "Word (DOCX)"],
  ["srt", "SRT"],
  ["vtt", "WebVTT"],
  ["text", "TXT"],
  ["json", "JSON"],
  ["csv", "CSV"],
] as const;

async function download(item: Transcription, format: string, flush: () => Promise<boolean>) {
  try {
    if (!(await flush())) toast(t.takenUnsaved);
    const answer = await ask(`/transcriptions/${item.id}/transcript?format=${format}`);
    const name = item.title.replace(/\.[A-Za-z0-9]{2,4}$/, "").replace(/[/\\:]/g, "-");
    saveAs(await answer.blob(), `${name}.${format === "text" ? "txt" : format}`);
  } catch (error) {
    toast(messageOf(error));
  }
}

interface ToolsProps {
  item: Transcription;
  doubtful: boolean;
  follow: boolean;
  onDoubtful: (on: boolean) => void;
  onFollow: (on: boolean) => void;
  onPanel: (panel: Panel) => void;
  onVersion: (version: number) => void;
  onTake: () => Promise<boolean>; // sends what was typed; whether all of it is there
}
export function Tools({ item, doubtful, follow, onDoubtful, onFollow, onPanel, onVersion, onTake }: ToolsProps) {
  const versions = useQuery({ queryKey: ["versions", item.id], queryFn: () => versionsOf(item.id) }).data?.items ?? [];
  const newest = Math.max(0, ...versions.map((one) => one.version));
  async function copyText() {
    try {
      if (!(await onTake())) toast(t.takenUnsaved);
      const answer = await ask(`/transcriptions/${item.id}/transcript?format=text`);
      await navigator.clipboard.writeText(await answer.text());
      toast(t.copied);
    } catch (error) {
      toast(messageOf(error));
    }
  }
  return (
    <>
      <IconButton icon="replace" label={t.findReplace} onClick={() => onPanel("find")} />
      <Menu label={t.versions} trigger={<IconButton icon="history" label={t.versions} />}>
        <MenuLabel>{t.versions}</MenuLabel>
        {versions
          .filter((one) => one.version !== newest)
          // The machine's own is the one to compare with, however many there are.
          .toSorted((a, b) => Number(b.kind === "machine") - Number(a.kind === "machine"))
          .map((one) => (
            <MenuItem key={one.version} onSelect={() => onVersion(one.version)}>
              {one.kind === "machine" ? t.machineVersion : t.editedVersion(one.version)} <span className="row-facts">{moment(one.created_at)}</span>
            </MenuItem>
          ))}
        {versions.length <= 1 && <MenuLabel>{t.machineVersion}</MenuLabel>}
      </Menu>
      <Menu label={t.more} trigger={<IconButton icon="more" label={t.more} />}>
        <MenuItem onSelect={() => onDoubtful(!doubtful)}>
          {doubtful && "✓ "}
          {t.lowConfidence}
        </MenuItem>
        <MenuItem onSelect={() => onFollow(!follow)}>
          {follow && "✓ "}
          {t.followPlayback}
        </MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => window.print()}>{t.print}</MenuItem>
        <MenuItem onSelect={() => onPanel("keys")}>{t.keys}</MenuItem>
      </Menu>
      <Menu
        label={t.exportAs}
        trigger={
          <Button kind="primary" aria-label={t.export}>
            <Icon name="download" />
            <span className="wide">{t.export}</span>
          </Button>
        }
      >
        <MenuLabel>{t.exportAs}</MenuLabel>
        {formats.map(([format, name]) => (
          <MenuItem key={format} onSelect={() => void download(item, format, onTake)}>
            {name}
          </MenuItem>
        ))}
        <MenuLine />
        <MenuItem onSelect={() => void copyText()}>{t.copyText}</MenuItem>
      </Menu>
    </>
  );
}
