// What the server cannot do, said where the person looks, with what they can do about it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { cp, mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import type { Page, Route } from "playwright-core";
import { deps, enter, recording, Server, Visitor } from "./house.ts";

const TRANSCRIBED_MS = 120_000;
const MEGABYTE = 1_000_000;

const hasDisks = (() => {
  try {
    execFileSync("unshare", ["-rm", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

// Leaves so much room on the server's disk.
async function fill(server: Server, leftBytes: number) {
  const { bavail, bsize } = statfsSync(server.data);
  const filler = await open(path.join(server.data, "filler"), "w");
  const block = Buffer.alloc(bsize);
  try {
    for (let n = bavail - Math.ceil(leftBytes / bsize); n > 0; n -= 1) await filler.write(block);
  } catch (error) {
    // The server writes there, too.
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
  await filler.close();
}
const makeRoom = (server: Server) => rm(path.join(server.data, "filler"));

// What the server tells of as it happens, said by the test when it is time.
async function tellEvents(page: Page) {
  const waiting: Route[] = [];
  let came = () => {};
  await page.route(/\/api\/v1\/events$/, (route) => {
    waiting.push(route);
    came();
  });
  return async (name: string, data: object) => {
    while (waiting.length === 0) await new Promise<void>((resolve) => (came = resolve));
    const body = `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
    await waiting.pop()?.fulfill({ contentType: "text/event-stream", body });
  };
}

describe("Trouble", () => {
  test("FullDisk", { skip: !hasDisks && "a disk of its own needs user namespaces (unshare -rm)" }, async (context) => {
    const server = await Server.start({}, 160);
    context.after(() => server.end());
    const visitor = await Visitor.open();
    context.after(() => visitor.close());
    const { page } = visitor;
    await enter(page, server.address);

    // No room for what is brought.
    const big = path.join(server.folder, "concert.wav");
    execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "sine=440:duration=100", "-ar", "48000", "-ac", "2", big]);
    await fill(server, 12 * MEGABYTE);
    await page.getByTestId("files").setInputFiles(big);
    const refused = page.getByRole("alert").filter({ hasText: "the disk is full; make room in the data folder" });
    await refused.waitFor({ timeout: 60_000 });
    assert.deepEqual(await visitor.look("disk-full"), []);
    await refused.getByRole("link", { name: "Make room among your recordings" }).waitFor();
    await makeRoom(server);
    await page.getByRole("button", { name: "Try again: concert.wav" }).click();
    await page.getByRole("link", { name: /concert/ }).waitFor({ timeout: 60_000 });
    await refused.waitFor({ state: "detached" });
    await page.getByRole("link", { name: /concert/ }).click();
    await page.getByText("No speech was found").waitFor({ timeout: TRANSCRIBED_MS });
    await page.getByRole("link", { name: "To the library" }).click();

    // No room to read what is here: it waits, says for what, and goes on when there is room.
    await fill(server, 8 * MEGABYTE);
    await page.getByTestId("files").setInputFiles(recording("endgame_nagg_nell.wav"));
    await page.getByRole("link", { name: /endgame/ }).click();
    await page.getByRole("status").filter({ hasText: /It goes on by itself: .*(make room|disk)/ }).waitFor({ timeout: 60_000 });
    assert.deepEqual(await visitor.look("disk-full-job"), []);
    await makeRoom(server);
    await page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });

    // No room for what is typed: it is kept here, the server's word stands beside it, and it is sent when there is room.
    await fill(server, 0);
    const state = page.locator(".save-state");
    let text = "";
    for (let n = 0; n < 100 && !(await state.innerText()).includes("disk"); n += 1) {
      text = `Take ${n}. ${"Every word of it. ".repeat(500)}`;
      await page.locator("[data-segment]").first().getByRole("button", { name: /Edit text/ }).click();
      await page.getByLabel("Text of this part").fill(text);
      await page.keyboard.press("Escape");
      await page.waitForFunction(() => /^Saved$|disk/.test(document.querySelector(".save-state")?.textContent ?? ""));
    }
    assert.match(await state.innerText(), /disk/);
    await page.reload();
    await state.filter({ hasText: "disk" }).waitFor();
    await makeRoom(server);
    await state.getByText("Saved", { exact: true }).waitFor({ timeout: 20_000 });
    assert.equal((await page.locator("[data-segment] .words").first().innerText()).trim(), text.trim());
    visitor.expected(/status of 507/);
    assert.deepEqual(visitor.complaints, []);
  });

  // There is no network here: how far a model has come is said by the test; that it is here, and its going, are real.
  test("ModelsComeAndGo", async (context) => {
    const models = await mkdtemp(path.join(tmpdir(), "hansard-models-"));
    context.after(() => rm(models, { recursive: true }));
    const server = await Server.start({ HANSARD_MODEL_PATH: "none", SPEECH_ENGINE_CACHE_DIR: models });
    context.after(() => server.end());
    const visitor = await Visitor.open();
    context.after(() => visitor.close());
    const { page } = visitor;
    const tell = await tellEvents(page);
    await enter(page, server.address);
    await page.goto(`${server.address}/settings/models`);
    const row = page.getByRole("listitem").filter({ hasText: "Whisper tiny.en" });
    await page.route(/:install$/, (route) => route.fulfill({ status: 202, json: { id: "whisper-tiny.en", status: "installing" } }));
    await row.getByRole("button", { name: /Install/ }).click();
    await tell("model.progress", { id: "whisper-tiny.en", done_bytes: 30e6, total_bytes: 78e6 });
    await page.waitForFunction(() => document.querySelector<HTMLProgressElement>("progress.bar")?.position === 30 / 78);
    assert.deepEqual(await visitor.look("model-installing"), []);
    await cp(path.join(deps, "models", "whisper-tiny.en"), path.join(models, "whisper-tiny.en"), { recursive: true });
    await tell("model.ready", { id: "whisper-tiny.en" });
    await row.getByText("installed").waitFor();
    await row.getByRole("progressbar").waitFor({ state: "detached" });
    await row.getByRole("button", { name: /Remove/ }).click();
    await row.getByRole("button", { name: /Install/ }).waitFor();
    assert.deepEqual(await readdir(path.join(models)).then((names) => names.filter((name) => name.startsWith("whisper"))), []);
    assert.deepEqual(visitor.complaints, []);
  });

  // No network: what is not here does not come.
  test("MissingModel", async (context) => {
    const server = await Server.start();
    context.after(() => server.end());
    const visitor = await Visitor.open({ width: 360, dark: true });
    context.after(() => visitor.close());
    const { page } = visitor;
    await enter(page, server.address);
    await page.getByRole("button", { name: "Add recordings" }).click();
    await page.getByRole("menuitem", { name: "How should recordings be read?" }).click();
    const away = await page.getByLabel("Model").locator("option").filter({ hasText: "small" }).first().getAttribute("value");
    await page.getByLabel("Model").selectOption(away);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByTestId("files").setInputFiles(recording("endgame_nagg_nell.wav"));
    await page.getByRole("link", { name: /endgame/ }).click();
    await page.getByRole("heading", { name: "This recording could not be transcribed" }).waitFor({ timeout: TRANSCRIBED_MS });
    const why = page.getByRole("alert").filter({ hasText: /could not be installed/ });
    assert.deepEqual(await visitor.look("model-missing"), []);
    await why.getByRole("link", { name: "To the models" }).click();
    await page.waitForURL(/settings\/models$/);
    const row = page.getByRole("listitem").filter({ hasText: "small" }).first();
    await row.getByRole("button", { name: /Install/ }).click();
    await row.getByRole("alert").filter({ hasText: /could not be installed.*Try again/ }).waitFor({ timeout: 60_000 });
    await row.getByRole("button", { name: /Install/ }).and(page.locator(":enabled")).waitFor();
    assert.deepEqual(await visitor.look("model-not-installed"), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "wider than the screen");

    // With a model that is here it can be read all the same.
    await page.goBack();
    await page.getByRole("button", { name: "Try again with other options" }).click();
    const here = await page.getByLabel("Model").locator("option").filter({ hasText: "installed" }).first().getAttribute("value");
    await page.getByLabel("Model").selectOption(here);
    await page.getByRole("dialog").getByRole("button", { name: "Try again" }).click();
    await page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });
    assert.deepEqual(visitor.complaints, []);
  });
});
