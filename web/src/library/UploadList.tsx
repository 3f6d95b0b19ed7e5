import { bytes, percent } from "../format";
import { t } from "../strings";
import { Bar, IconButton } from "../ui/controls";
import { abandon, useUploads } from "./uploads";

export function UploadList() {
  const uploads = useUploads();
  if (uploads.length === 0) return null;
  const state = { sending: t.uploading, waiting: t.uploadPaused, checking: t.checking, failed: t.uploadFailed };
  return (
    <ul className="uploads" aria-label={t.uploading}>
      {uploads.map((one) => (
        <li key={one.key}>
          <div className="upload-text">
            <span className="row-title">{one.name}</span>
            <span className={one.state === "failed" ? "problem" : "row-facts"} role={one.state === "failed" ? "alert" : undefined}>
              {one.state === "failed"
                ? `${state.failed}: ${one.problem ?? ""}`
                : `${state[one.state]} · ${bytes(one.sent)} / ${bytes(one.size)} · ${percent(one.size ? one.sent / one.size : 0)}`}
            </span>
          </div>
          {one.state !== "failed" && <Bar share={one.state === "checking" ? undefined : one.sent / Math.max(1, one.size)} label={one.name} />}
          <IconButton icon="close" label={`${t.cancel}: ${one.name}`} onClick={() => void abandon(one.key)} />
        </li>
      ))}
    </ul>
  );
}
