// The head of every page but the library: the way back there, and what this is.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { t } from "../strings";
import { Icon } from "./Icon";

export function Top({ title, facts, children }: { title: string; facts?: string; children?: ReactNode }) {
  return (
    <header className="top">
      <Link to="/" className="icon-button" aria-label={t.toLibrary} title={t.toLibrary}>
        <Icon name="back" />
      </Link>
      <div className="heading">
        <h1>{title}</h1>
        {facts !== undefined && <p className="row-facts">{facts}</p>}
      </div>
      {children}
    </header>
  );
}
