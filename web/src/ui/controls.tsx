// Buttons, fields and dialogs, as the whole page has them.
import { Link } from "@tanstack/react-router";
import { Dialog as RadixDialog, DropdownMenu } from "radix-ui";
import { useId, type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from "react";
import { Refusal, isUnreachable } from "../api/client";
import { t } from "../strings";
import { Icon, type IconName } from "./Icon";

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { kind?: "primary" | "plain" | "danger" };
export function Button({ kind = "plain", className = "", ...rest }: ButtonProps) {
  return <button type="button" className={`button ${kind} ${className}`} {...rest} />;
}

type IconButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { icon: IconName; label: string };
export function IconButton({ icon, label, className = "", ...rest }: IconButtonProps) {
  return (
    <button type="button" className={`icon-button ${className}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}

type FieldProps = InputHTMLAttributes<HTMLInputElement> & { label: string; hint?: string; problem?: string | undefined };
export function Field({ label, hint, problem, ...rest }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-invalid={problem ? true : undefined} aria-describedby={hint || problem ? `${id}-hint` : undefined} {...rest} />
      {(problem ?? hint) && (
        <p id={`${id}-hint`} className={problem ? "problem" : "hint"}>
          {problem ?? hint}
        </p>
      )}
    </div>
  );
}

type ChoiceProps = SelectHTMLAttributes<HTMLSelectElement> & { label: string; bare?: boolean };
export function Choice({ label, bare = false, children, ...rest }: ChoiceProps) {
  const id = useId();
  return (
    <div className={bare ? "choice bare" : "field"}>
      <label htmlFor={id} className={bare ? "unseen" : undefined}>
        {label}
      </label>
      <select id={id} {...rest}>
        {children}
      </select>
    </div>
  );
}

export function Check({ label, ...rest }: InputHTMLAttributes<HTMLInputElement> & { label: string }) {
  return (
    <label className="check">
      <input type="checkbox" {...rest} />
      <span>{label}</span>
    </label>
  );
}

interface DialogProps {
  title: string;
  text?: string;
  open: boolean;
  onClose?: () => void;
  children: ReactNode;
}
export function Dialog({ title, text, open, onClose, children }: DialogProps) {
  return (
    <RadixDialog.Root open={open} onOpenChange={(next) => !next && onClose?.()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="veil" />
        <RadixDialog.Content className="dialog" {...(text ? {} : { "aria-describedby": undefined })}>
          <header>
            <RadixDialog.Title>{title}</RadixDialog.Title>
            {onClose && (
              <RadixDialog.Close asChild>
                <IconButton icon="close" label={t.close} />
              </RadixDialog.Close>
            )}
          </header>
          {text && <RadixDialog.Description>{text}</RadixDialog.Description>}
          {children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

interface MenuProps {
  label: string;
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
}
export function Menu({ label, trigger, children, align = "end" }: MenuProps) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align={align} sideOffset={4} collisionPadding={8} aria-label={label}>
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
export function MenuItem({ onSelect, danger, children }: { onSelect: () => void; danger?: boolean; children: ReactNode }) {
  return (
    <DropdownMenu.Item className={danger ? "menu-item danger" : "menu-item"} onSelect={onSelect}>
      {children}
    </DropdownMenu.Item>
  );
}
export function MenuLabel({ children }: { children: ReactNode }) {
  return <DropdownMenu.Label className="menu-label">{children}</DropdownMenu.Label>;
}
export function MenuLine() {
  return <DropdownMenu.Separator className="menu-line" />;
}

export function Bar({ share, label }: { share: number | undefined; label: string }) {
  return <progress className="bar" max={1} aria-label={label} {...(share === undefined ? {} : { value: share })} />;
}

// What the server said, in place.
export function Problem({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <p role="alert" className="problem">
      {messageOf(error)} <NextStep code={error instanceof Refusal ? error.code : ""} />
    </p>
  );
}
// What a person can do about it on another page, where there is such a one.
export function NextStep({ code }: { code: string }) {
  if (code === "INSUFFICIENT_STORAGE") return <Link to="/recordings">{t.makeRoom}</Link>;
  if (code === "FILE_FAILED") return <Link to="/">{t.addAgain}</Link>;
  // Models are all that a transcription wants of the network.
  if (code.startsWith("MODEL_") || code === "NETWORK") {
    return (
      <Link to="/settings/$page" params={{ page: "models" }}>
        {t.toModels}
      </Link>
    );
  }
  return null;
}
export function messageOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  if (isUnreachable(error)) return t.serverGone;
  return error instanceof Error ? error.message : t.unexpected;
}
