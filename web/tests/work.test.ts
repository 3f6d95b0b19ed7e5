// What a day brings: a microphone, a long recording that grows as it is read, speakers taken for one another, two who change
// the same words, a session that ends, an upload that breaks off, a proxy.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFile, mkdir } from "node:fs/promises";
import { createServer, request as forward, type Server as Proxy } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { enter, recording, Server, textOf, Visitor } from "./house.ts";

const TRANSCRIBED_MS = 120_000;

const saved = (page: Page) => page.getByText("Saved", { exact: true }).waitFor();
async function retype(page: Page, line: number, text: string) {
  await page.locator("[data-segment]").nth(line).getByRole("button", { name: /Edit text/ }).click();
  await page.getByLabel("Text of this part").fill(text);
}

describe("Page", () => {
  let server: Server;
  let visitor: Visitor;
  let page: Page;
  before(async () => {
    server = await Server.start();
    visitor = await Visitor.open();
    page = visitor.page;
    await enter(page, server.address);
  });
  after(async () => {
    await visitor.close();
    await server.end();
  });

  test("TextGrowsWhileItIsRead", async () => {
    // Long enough that somebody can watch.
    const long = path.join(server.folder, "chapter.wav");
    execFileSync("ffmpeg", ["-v", "error", "-stream_loop", "5", "-i", recording("two_cities.wav"), "-ar", "16000", "-ac", "1", long]);
    const second = path.join(server.folder, "second.wav");
    await copyFile(long, second);
    await page.getByTestId("files").setInputFiles(long);
    await page.getByRole("link", { name: /chapter/ }).waitFor();
    await page.getByTestId("files").setInputFiles(second);
    await page.getByRole("link", { name: /second/ }).click();
    await page.getByText("Next in line").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: "This was canceled" }).waitFor();
    await page.getByRole("link", { name: "To the library" }).click();
    await page.getByRole("link", { name: /chapter/ }).click();
    await page.getByRole("progressbar").waitFor();
    await page.getByText(/\d+\s?% · about .* left/).waitFor({ timeout: TRANSCRIBED_MS });
    await page.getByRole("region", { name: "The text so far" }).locator("p").first().waitFor({ timeout: TRANSCRIBED_MS });
    assert.deepEqual(await visitor.look("job"), []);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: "This was canceled" }).waitFor();
    await page.getByRole("button", { name: "Try again", exact: true }).click();
    await page.getByRole("progressbar").waitFor();
    // The server goes, and comes back; who watches sees how it goes on.
    await server.stop();
    await page.getByRole("alert").filter({ hasText: "cannot be reached" }).waitFor();
    await server.startAgain();
    await page.getByRole("alert").waitFor({ state: "detached", timeout: 30_000 });
    await page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });
    visitor.expected(/status of 409|net::ERR_/);
  });

  test("RecordFromTheMicrophone", async () => {
    await page.getByRole("link", { name: "To the library" }).click();
    await page.getByRole("button", { name: "Add recordings" }).click();
    await page.getByRole("menuitem", { name: "Record", exact: true }).click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByText(/Recording 0:02/).waitFor();
    assert.deepEqual(await visitor.look("microphone"), []);
    await page.getByRole("button", { name: "Stop and transcribe" }).click();
    const row = page.getByRole("link", { name: /^Recording 20/ });
    await row.waitFor();
    // Chromium's microphone of its own beeps, and says nothing.
    await row.click();
    await page.getByText("No speech was found").waitFor({ timeout: TRANSCRIBED_MS });
  });

  test("SpeakersAreToldApartAndMerged", async () => {
    await page.getByRole("link", { name: "To the library" }).click();
    await page.getByTestId("files").setInputFiles(recording("endgame_nagg_nell.wav"));
    await page.getByRole("link", { name: /endgame/ }).click();
    await page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });
    const legend = page.getByRole("list", { name: "Speakers" });
    // One part was somebody else's.
    await page.locator("[data-segment]").first().click();
    await page.keyboard.press("s");
    await page.getByRole("dialog").getByRole("button", { name: "Someone else" }).click();
    await legend.getByRole("button", { name: /Speaker 3/ }).waitFor();
    await saved(page);
    // Who is the first, after all.
    await legend.getByRole("button", { name: /Speaker 3/ }).click();
    await page.getByLabel("Is the same person as").selectOption({ label: "Speaker 1" });
    await page.getByRole("button", { name: "Save" }).click();
    await legend.getByRole("button", { name: /Speaker 3/ }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Undo" }).first().click();
    await legend.getByRole("button", { name: /Speaker 3/ }).waitFor();
  });

  test("PartsAreCutAndJoined", async () => {
    const part = (words: RegExp) => page.locator("[data-segment]").filter({ has: page.locator(".words", { hasText: words }) });
    const whole = part(/^We have still that resource\.$/);
    await whole.getByRole("button", { name: /Edit text/ }).click();
    await page.getByLabel("Text of this part").evaluate((area: HTMLTextAreaElement) => area.setSelectionRange(8, 8));
    await page.getByRole("button", { name: "Cut here" }).click();
    await part(/^still that resource\.$/).waitFor();
    await part(/^We have$/)
      .getByRole("button", { name: /More/ })
      .click();
    await page.getByRole("menuitem", { name: "Join with the next" }).click();
    await whole.waitFor();
  });

  test("WhoChangesTheSameWordsSecondIsAsked", async () => {
    const other = await visitor.context.newPage();
    await other.goto(page.url());
    await other.locator("[data-segment]").first().waitFor();
    // This tab is cut off while the other one saves.
    await page.route(/\/transcript$/, (route) => (route.request().method() === "PATCH" ? route.abort() : route.continue()));
    await retype(page, 2, "What I heard here.");
    await page.keyboard.press("Escape");
    await retype(other, 2, "What was heard there.");
    await other.keyboard.press("Escape");
    await saved(other);
    await page.unroute(/\/transcript$/);
    const asked = page.getByRole("alert").filter({ hasText: "Someone else changed this part meanwhile" });
    await asked.waitFor({ timeout: 20_000 });
    assert.deepEqual(await visitor.look("conflict"), []);
    await page.getByRole("button", { name: "Keep mine" }).click();
    await saved(page);
    await other.getByText("What I heard here.").waitFor();
    await other.close();
    visitor.expected(/net::ERR_FAILED|status of 412/);
  });

  test("EverythingByKeys", async () => {
    const marked = () => page.locator(".line.marked").getAttribute("data-segment");
    const lines = await page.locator("[data-segment]").evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.segment));
    await page.locator("[data-segment]").nth(4).locator(".words").click();
    await page.getByRole("button", { name: "Pause" }).first().waitFor();
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Play", exact: true }).first().waitFor();
    await page.keyboard.press("ArrowDown");
    assert.equal(await marked(), lines[5]);
    await page.keyboard.press("ArrowUp");
    assert.equal(await marked(), lines[4]);
    await page.keyboard.press("Enter");
    await page.getByLabel("Text of this part").fill("By keys alone.");
    await page.keyboard.press("Control+Enter");
    assert.equal(await marked(), lines[5]);
    await page.locator(`[data-segment="${lines[5]}"] textarea:focus`).waitFor();
    await page.keyboard.press("Escape");
    await page.getByText("By keys alone.").waitFor();
    await saved(page);
    await page.keyboard.press("Control+z");
    await page.getByText("By keys alone.").waitFor({ state: "detached" });
    await saved(page);
    for (const [key, rate] of [["]", "1.25"], ["[", "1"], ["[", "0.75"], ["]", "1"]] as const) {
      await page.keyboard.press(key);
      assert.equal(await page.getByLabel("Speed").inputValue(), rate);
    }
    // On by a sentence, and back.
    const heardAt = (line: number) =>
      page.waitForFunction(
        (line) => {
          const time = document.querySelector(`[data-segment="${line}"] .time`)?.textContent;
          return document.querySelector(".now")?.textContent?.startsWith(`${time} /`);
        },
        lines[line],
      );
    await page.locator("[data-segment]").nth(7).locator("[data-word]").first().click();
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Play", exact: true }).first().waitFor();
    await page.keyboard.press("ArrowRight");
    assert.equal(await marked(), lines[8]);
    await heardAt(8);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await marked(), lines[7]);
    await heardAt(7);
    await page.getByRole("button", { name: "On a sentence" }).click();
    await heardAt(8);
    await page.getByRole("button", { name: "Back a sentence" }).click();
    await heardAt(7);
  });

  test("TakenAlongInEveryFormat", async () => {
    const looks: [string, string, RegExp][] = [
      ["Markdown", "md", /^# endgame/],
      ["Word (DOCX)", "docx", /^PK/],
      ["SRT", "srt", /^1\r?\n00:00/],
      ["WebVTT", "vtt", /^WEBVTT/],
      ["TXT", "txt", /What I heard here\./],
      ["JSON", "json", /^\{.*"words"/s],
      ["CSV", "csv", /^[a-z_]+,[a-z_]+/],
    ];
    for (const [name, extension, text] of looks) {
      await page.getByRole("button", { name: "Export" }).click();
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name, exact: true }).click()]);
      assert.equal(download.suggestedFilename(), `endgame_nagg_nell.${extension}`);
      assert.match(await textOf(await download.path()), text);
    }
    // What was typed a moment ago is in it, or it is said that it is not.
    const copy = async () => {
      await page.getByRole("button", { name: "Export" }).click();
      await page.getByRole("menuitem", { name: "Copy text" }).click();
      await page.getByText("Copied").last().waitFor();
      return page.evaluate(() => navigator.clipboard.readText());
    };
    await retype(page, 2, "What I heard here, and then some.");
    assert.match(await copy(), /What I heard here, and then some\./);
    await page.keyboard.press("Escape");
    await page.route(/\/transcript$/, (route) => (route.request().method() === "PATCH" ? route.abort() : route.continue()));
    await retype(page, 2, "What I heard here.");
    assert.match(await copy(), /and then some\./);
    await page.getByText("Not all that you typed is saved yet").waitFor();
    await page.unroute(/\/transcript$/);
    await page.keyboard.press("Escape");
    await saved(page);
    visitor.expected(/net::ERR_FAILED/);
  });

  test("TheMachinesOwnIsAtHandAfterManyChanges", async () => {
    await page.evaluate(async () => {
      const { accessToken } = JSON.parse(localStorage.getItem("hansard.session") ?? "{}") as { accessToken: string };
      const headers = { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
      const route = `api/v1/transcriptions/${location.pathname.split("/").at(-1)}/speakers`;
      for (let n = 0; n < 25; n += 1) await fetch(route, { method: "PATCH", headers, body: JSON.stringify({ SPEAKER_00: `Nagg the ${n}th` }) });
    });
    await page.locator(".who", { hasText: "Nagg the 24th" }).first().waitFor();
    await page.getByRole("button", { name: "Versions" }).click();
    const versions = page.getByRole("menuitem");
    await versions.nth(25).waitFor();
    assert.match(await versions.first().innerText(), /The machine's own/);
    await versions.first().click();
    await page.getByText("Shown: The machine's own.").waitFor();
    await page.getByRole("button", { name: "Back to the newest" }).click();
    await page.locator("[data-segment]").first().waitFor();
  });

  test("DoubtfulWordsAreMarkedOnRequest", async () => {
    // The model is sure of this recording.
    await page.route(/\/transcript$/, async (route) => {
      const answer = await route.fetch();
      const json = (await answer.json()) as { words: { confidence: number }[] };
      for (const [at, word] of json.words.entries()) word.confidence = at === 20 || at === 33 ? 0.3 : Math.max(0.5, word.confidence);
      await route.fulfill({ response: answer, json });
    });
    await page.reload();
    await page.locator('[data-word="33"]').waitFor();
    assert.equal(await page.locator(".doubtful").count(), 0);
    await page.keyboard.press("d");
    assert.deepEqual((await page.locator(".doubtful").evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.word))), ["20", "33"]);
    assert.deepEqual(await visitor.look("doubtful"), []);
    await page.keyboard.press("d");
    await page.waitForFunction(() => !document.querySelector(".doubtful"));
    await page.unroute(/\/transcript$/);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    assert.deepEqual(await visitor.look("keys-sheet"), []);
    await page.keyboard.press("Escape");
  });

  test("PrintHasAllOfIt", async () => {
    await page.setViewportSize({ width: 1440, height: 300 });
    const drawn = await page.locator("[data-segment]").count();
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    const printed = await page.locator("[data-segment]").count();
    assert.ok(printed > drawn, `${printed} of ${drawn}`);
    await page.emulateMedia({ media: "print" });
    await page.setViewportSize({ width: 800, height: 900 });
    assert.deepEqual(await visitor.look("print"), []);
    await page.emulateMedia({ media: "screen" });
    await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test("SessionEndsAndNothingIsLost", async () => {
    const here = page.url();
    await page.evaluate(() => {
      const session = JSON.parse(localStorage.getItem("hansard.session") ?? "{}") as Record<string, unknown>;
      localStorage.setItem("hansard.session", JSON.stringify({ ...session, accessToken: "spent", refreshToken: "spent" }));
      // As another tab would tell.
      window.dispatchEvent(new StorageEvent("storage", { key: "hansard.session" }));
    });
    await retype(page, 3, "Typed after the session had ended.");
    await page.getByRole("dialog", { name: "Log in" }).waitFor();
    assert.deepEqual(await visitor.look("session-ended"), []);
    await page.getByLabel("Name", { exact: true }).fill("ada");
    await page.getByLabel("Password", { exact: true }).fill("correct horse");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("dialog", { name: "Log in" }).waitFor({ state: "detached" });
    await page.getByText("Typed after the session had ended.").waitFor();
    await page.waitForFunction(() => document.querySelector(".save-state")?.textContent === "Saved", undefined, { timeout: 20_000 });
    assert.equal(page.url(), here);
    visitor.expected(/status of 401/);
  });

  test("AddressThatIsRefusedIsSaidInPlace", async () => {
    await page.getByRole("link", { name: "To the library" }).click();
    await page.getByRole("button", { name: "Add recordings" }).click();
    await page.getByRole("menuitem", { name: "From an address" }).click();
    await page.getByRole("textbox", { name: "Address" }).fill("http://127.0.0.1/secret.mp3");
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByRole("dialog").getByRole("alert").waitFor();
    assert.deepEqual(await visitor.look("address-refused"), []);
    await page.keyboard.press("Escape");
    visitor.expected(/status of 422/);
  });

  test("DroppedAnywhere", async () => {
    const folder = path.join(server.folder, "tapes");
    await mkdir(path.join(folder, "old"), { recursive: true });
    await copyFile(recording("endgame_nagg_nell.wav"), path.join(folder, "tape one.wav"));
    await copyFile(recording("endgame_nagg_nell.wav"), path.join(folder, "old", "tape two.wav"));
    await copyFile(recording("endgame_nagg_nell.wav"), path.join(folder, "old", ".hidden.wav"));
    const single = path.join(server.folder, "tape three.wav");
    await copyFile(recording("endgame_nagg_nell.wav"), single);
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("tab", { name: "General" }).waitFor();
    const mouse = await visitor.context.newCDPSession(page);
    const drag = (type: "dragEnter" | "dragOver" | "drop") =>
      mouse.send("Input.dispatchDragEvent", { type, x: 500, y: 500, data: { items: [], files: [folder, single], dragOperationsMask: 1 } });
    await drag("dragEnter");
    await drag("dragOver");
    await page.getByText("Drop to transcribe").waitFor();
    await page.screenshot({ path: path.join(server.folder, "drop.png") });
    await drag("drop");
    for (const name of ["one", "two", "three"]) await page.getByRole("link", { name: `tape ${name}` }).waitFor({ timeout: 60_000 });
    assert.equal(await page.getByRole("link", { name: /hidden/ }).count(), 0);
    await page.getByText("Drop to transcribe").waitFor({ state: "detached" });
  });

  test("ShownAndSortedAsOneLikes", async () => {
    const titles = () => page.locator(".rows .row-title").allInnerTexts();
    await page.getByLabel("Sort").selectOption({ label: "By title" });
    await page.locator(".rows > li").first().getByText(/^Recording/).waitFor();
    const sorted = await titles();
    assert.deepEqual(sorted, sorted.toSorted());
    await page.getByLabel("Sort").selectOption({ label: "Oldest first" });
    await page.waitForFunction((last) => document.querySelector(".rows > li:last-child .row-title")?.textContent !== last, sorted.at(-1));
    await page.getByLabel("Show").selectOption({ label: "Canceled" });
    await page.waitForFunction(() => [...document.querySelectorAll(".rows .badge")].every((one) => one.textContent === "Canceled"));
    assert.ok((await titles()).includes("second.wav"));
    await page.getByLabel("Show").selectOption({ label: "Done" });
    await page.getByRole("link", { name: /endgame/ }).waitFor();
    assert.ok(!(await titles()).includes("second.wav"));
    await page.getByLabel("Show").selectOption({ label: "Failed" });
    await page.getByText("Nothing here.").waitFor();
    await page.getByLabel("Show").selectOption({ label: "All" });
    await page.getByLabel("Sort").selectOption({ label: "Newest first" });
    await page.getByRole("searchbox").fill("tape thr");
    await page.getByRole("heading", { name: "Titles" }).waitFor();
    await page.getByRole("link", { name: /tape three/ }).waitFor();
    await page.getByRole("searchbox").fill("");
    await page.getByLabel("Sort").waitFor();
  });

  test("UploadGoesOnWhereItBrokeOff", async () => {
    // Three parts, the second of which breaks off.
    const big = path.join(server.folder, "concert.wav");
    execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "sine=440:duration=100", "-ar", "48000", "-ac", "2", big]);
    const sent: number[] = [];
    let broken = false;
    await page.route(/\/parts\/\d+$/, async (route) => {
      const number = Number(/\d+$/.exec(route.request().url())?.[0]);
      sent.push(number);
      if (number === 2 && !broken) {
        broken = true;
        await route.abort("connectionreset");
      } else await route.continue();
    });
    await page.getByTestId("files").setInputFiles(big);
    await page.getByRole("link", { name: /concert/ }).waitFor({ timeout: 60_000 });
    await page.unroute(/\/parts\/\d+$/);
    assert.deepEqual(sent, [1, 2, 2, 3]);
    visitor.expected(/net::ERR_/);
  });

  test("UploadGoesOnAfterThePageWasClosed", async () => {
    const big = path.join(server.folder, "march.wav");
    execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "sine=220:duration=100", "-ar", "48000", "-ac", "2", big]);
    const sent: number[] = [];
    let whole = false;
    await page.route(/\/parts\/\d+$/, async (route) => {
      const number = Number(/\d+$/.exec(route.request().url())?.[0]);
      if (number > 1 && !whole) return; // never comes to an end
      sent.push(number);
      await route.continue();
    });
    await page.getByTestId("files").setInputFiles(big);
    await page.getByText(/march\.wav/).waitFor();
    await page.waitForFunction(() => /8\.4\sMB/.test(document.querySelector(".uploads")?.textContent ?? ""));
    page.once("dialog", (dialog) => void dialog.accept()); // an upload is on its way: leave nonetheless?
    await page.reload();
    whole = true;
    await page.getByTestId("files").setInputFiles(big);
    await page.getByRole("link", { name: /march/ }).waitFor({ timeout: 60_000 });
    await page.unroute(/\/parts\/\d+$/);
    assert.deepEqual(sent, [1, 2, 3]);
  });

  test("NoComplaintInTheConsoleOfADay", () => {
    // While another recording is looked at the waveform waits; it is asked for again.
    visitor.expected(/status of 503.*waveform/);
    assert.deepEqual(visitor.complaints, []);
  });

  test("BehindAProxyUnderAPrefix", async () => {
    const behind = await Server.start({ HANSARD_BASE_PATH: "/notes", HANSARD_AUTH: "none" });
    const target = new URL(behind.address);
    const proxy: Proxy = createServer((incoming, outgoing) => {
      const up = forward({ host: target.hostname, port: target.port, path: incoming.url, method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(up);
      outgoing.on("close", () => up.destroy());
      up.on("error", () => outgoing.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const reader = await Visitor.open();
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/notes/`;
    await reader.page.goto(address);
    await reader.page.getByRole("heading", { name: "Drop your first recording here" }).waitFor();
    await reader.page.getByTestId("files").setInputFiles(recording("endgame_nagg_nell.wav"));
    await reader.page.getByRole("link", { name: /endgame/ }).click();
    await reader.page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });
    assert.match(reader.page.url(), /\/notes\/r\/tr_/);
    await reader.page.locator("[data-word]").nth(3).click();
    await reader.page.getByRole("button", { name: "Pause" }).first().waitFor();
    await reader.page.reload();
    await reader.page.locator("[data-segment]").first().waitFor();
    assert.deepEqual(reader.complaints, []);
    await reader.close();
    proxy.closeAllConnections();
    proxy.close();
    await behind.end();
  });
});
