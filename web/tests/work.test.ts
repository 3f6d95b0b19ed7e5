// What a day brings: a microphone, a long recording that grows as it is read, speakers taken for one another, two who change
// the same words, a session that ends, an upload that breaks off, a proxy.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer, request as forward, type Server as Proxy } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { enter, recording, Server, Visitor } from "./house.ts";

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
    await page.getByTestId("files").setInputFiles(long);
    await page.getByRole("link", { name: /chapter/ }).click();
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("region", { name: "The text so far" }).locator("p").first().waitFor({ timeout: TRANSCRIBED_MS });
    assert.deepEqual(await visitor.look("job"), []);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: "This was canceled" }).waitFor();
    await page.getByRole("button", { name: "Try again", exact: true }).click();
    await page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });
    visitor.expected(/status of 409/);
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

  test("DoubtfulWordsAreMarkedOnRequest", async () => {
    assert.equal(await page.locator(".doubtful").count(), 0);
    await page.keyboard.press("d");
    await page.waitForFunction(() => document.querySelectorAll(".words [data-word]").length > 0);
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
