import { reachable } from "../api/events";
import { useStore } from "../store";
import { t } from "../strings";

export function Unreachable() {
  if (useStore(reachable)) return null;
  return (
    <div className="banner" role="alert">
      {t.serverGone}
    </div>
  );
}
