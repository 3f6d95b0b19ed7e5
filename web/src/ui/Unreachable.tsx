import { useSyncExternalStore } from "react";
import { isReachable, subscribeToReachability } from "../api/events";
import { t } from "../strings";

export function Unreachable() {
  const reachable = useSyncExternalStore(subscribeToReachability, isReachable);
  if (reachable) return null;
  return (
    <div className="banner" role="alert">
      {t.serverGone}
    </div>
  );
}
