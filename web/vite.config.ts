import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// `./dev web` serves the page beside a running server; there the page is at the root, and needs no nonce.
const placeholders: Plugin = {
  name: "placeholders",
  apply: "serve",
  transformIndexHtml: { order: "pre", handler: (html) => html.replace("{{base}}", "/").replace("{{nonce}}", "") },
};

export default defineConfig({
  plugins: [react(), placeholders],
  base: "./",
  build: { target: "es2023", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": process.env.HANSARD_URL ?? "http://127.0.0.1:8080" },
  },
});
