import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// `./dev web` serves the page before a running server; there the page is at the root, and needs no nonce.
const placeholders: Plugin = {
  name: "placeholders",
  apply: "serve",
  transformIndexHtml: { order: "pre", handler: (html) => html.replace("{{base}}", "/").replace("{{accounts}}", "required").replace("{{nonce}}", "") },
};

export default defineConfig({
  plugins: [react(), placeholders],
  base: "./",
  cacheDir: ".vite", // node_modules is other clones' too
  build: { target: "es2023", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false, license: { fileName: "licenses.txt" } },
  server: {
    host: "127.0.0.1",
    // The server compares the Host with the Origin, so it must get the browser's own.
    proxy: { "/api": { target: process.env.HANSARD_URL ?? "http://127.0.0.1:8080", changeOrigin: false } },
  },
});
