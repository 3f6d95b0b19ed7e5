import { bytes, percent } from "../format";
import { t } from "../strings";
import { Bar, Button, IconButton, Problem } from "../ui/controls";
import { abandon, useUploads } from "./uploads";

const SHOWN = 12;

export function UploadList() {
  const uploads = useUploads();
  if (uploads.length === 0) return null;
  // Those that failed and those on their way come first; of thousands that wait, a few are enough.
  const order = { failed: 0, checking: 1, sending: 1, queueing: 1, waiting: 2 };
  const shown = uploads.toSorted((a, b) => order[a.state] - order[b.state]).slice(0, SHOWN);
  const state = { sending: t.uploading, waiting: t.uploadPaused, checking: t.checking, queueing: t.queueFull };
  return (
    <ul className="uploads" aria-label={t.uploading}>
      {shown.map((one) => (
        <li key={one.key}>
          <div className="upload-text">
            <span className="row-title">{one.name}</span>
            {one.state === "failed" ? (
              <>
                <span className="row-facts">{t.uploadFailed}</span>
                <Problem error={one.problem} />
              </>
            ) : (
              <span className="row-facts">{`${state[one.state]} · ${bytes(one.sent)} / ${bytes(one.size)} · ${percent(one.size ? one.sent / one.size : 0)}`}</span>
            )}
          </div>
          {one.again && (
            <Button onClick={one.again} aria-label={`${t.tryAgain}: ${one.name}`}>
              {t.tryAgain}
            </Button>
          )}
          {one.state !== "failed" && <Bar share={one.state === "checking" || one.state === "queueing" ? undefined : one.sent / Math.max(1, one.size)} label={one.name} />}
          <IconButton icon="close" label={`${t.cancel}: ${one.name}`} onClick={() => void abandon(one.key)} />
        </li>
      ))}
      {uploads.length > shown.length && <li className="row-facts">{t.moreUploads(uploads.length - shown.length)}</li>}
    </ul>
  );
}
