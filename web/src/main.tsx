import { createRoot } from "react-dom/client";
import { loadStrings } from "./strings";
import { applyTheme } from "./theme";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/library.css";
import "./styles/recording.css";

// What libraries put into the page's style is allowed by this.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="nonce"]')?.content;
if (nonce) (globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce;

applyTheme();
await loadStrings();
const { App } = await import("./App");
const root = document.getElementById("page");
if (root) createRoot(root).render(<App />);
