// The way of a person who has never seen the page: from the first account to a corrected SRT.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { recording, Server, textOf, Visitor } from "./house.ts";

const TRANSCRIBED_MS = 120_000;

describe("Page", () => {
  let server: Server;
  let visitor: Visitor;
  before(async () => {
    server = await Server.start();
    visitor = await Visitor.open();
  });
  after(async () => {
    await visitor.close();
    await server.end();
  });

  test("FirstAccount", async () => {
    const { page } = visitor;
    await page.goto(server.address);
    await page.getByRole("heading", { name: "Recordings in, words out." }).waitFor();
    assert.deepEqual(await visitor.look("first-run"), []);
    await page.getByLabel("Name").fill("ada");
    await page.getByLabel("Password", { exact: true }).fill("correct horse");
    await page.getByLabel("Password, once more").fill("another horse");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("The two passwords differ.").waitFor();
    await page.getByLabel("Password, once more").fill("correct horse");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "How should recordings be read?" }).waitFor();
    assert.deepEqual(await visitor.look("first-choices"), []);
    await page.getByLabel("Language spoken").selectOption({ label: "English" });
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("heading", { name: "Drop your first recording here" }).waitFor();
    assert.deepEqual(await visitor.look("empty-library"), []);
  });

  test("UploadAndFollow", async () => {
    const { page } = visitor;
    await page.getByTestId("files").setInputFiles(recording("endgame_nagg_nell.wav"));
    const row = page.getByRole("link", { name: /endgame_nagg_nell/ });
    await row.waitFor();
    await row.click();
    await page.getByRole("heading", { name: /endgame_nagg_nell/ }).waitFor();
    await page.locator("[data-segment]").first().waitFor({ timeout: TRANSCRIBED_MS });
    assert.ok((await page.locator("[data-word]").count()) > 20);
    assert.equal(await page.getByRole("list", { name: "Speakers" }).getByRole("listitem").count(), 2);
    assert.deepEqual(await visitor.look("transcript"), []);
  });

  test("HearAWord", async () => {
    const { page } = visitor;
    const word = page.locator("[data-word]").nth(8);
    await word.click();
    await page.getByRole("button", { name: "Pause" }).first().waitFor();
    await page.locator(".spoken").first().waitFor();
    await page.getByRole("button", { name: "Pause" }).first().click();
  });

  test("NameASpeaker", async () => {
    const { page } = visitor;
    await page.getByRole("list", { name: "Speakers" }).getByRole("button").first().click();
    await page.getByLabel("Name", { exact: true }).fill("Nagg");
    assert.deepEqual(await visitor.look("speaker"), []);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("list", { name: "Speakers" }).getByRole("button", { name: /Nagg/ }).waitFor();
    await page.locator(".who", { hasText: "Nagg" }).first().waitFor();
  });

  test("CorrectAndUndo", async () => {
    const { page } = visitor;
    const line = page.locator("[data-segment]").first();
    const old = (await line.locator(".words").innerText()).trim();
    await line.getByRole("button", { name: /Edit text/ }).click();
    await page.getByLabel("Text of this part").fill(`${old} Certainly.`);
    await page.keyboard.press("Escape");
    await page.getByText("Saved", { exact: true }).waitFor();
    assert.equal((await line.locator(".words").innerText()).trim(), `${old} Certainly.`);
    await page.keyboard.press("Control+z");
    await page.waitForFunction((text) => document.querySelector("[data-segment] .words")?.textContent?.trim() === text, old);
    await page.getByText("Saved", { exact: true }).waitFor();
    await line.getByRole("button", { name: /Edit text/ }).click();
    await page.getByLabel("Text of this part").fill(`${old} Certainly.`);
    await page.keyboard.press("Escape");
    await page.getByText("Saved", { exact: true }).waitFor();
    await page.reload();
    await page.locator("[data-segment]").first().waitFor();
    assert.equal((await page.locator("[data-segment] .words").first().innerText()).trim(), `${old} Certainly.`);
  });

  test("ExportSrt", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: "Export" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "SRT" }).click()]);
    assert.match(download.suggestedFilename(), /^endgame_nagg_nell\.srt$/);
    const text = await textOf(await download.path());
    assert.match(text, /^1\r?\n00:00:/);
    assert.match(text, /Nagg: /);
    assert.match(text, /Certainly\./);
  });

  test("Versions", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: "Versions" }).click();
    await page.getByRole("menuitem", { name: /The machine's own/ }).click();
    await page.getByText("Shown: The machine's own.").waitFor();
    assert.deepEqual(await page.locator("article").first().locator("ins").allInnerTexts(), ["Certainly."]);
    assert.deepEqual(await visitor.look("machine-version"), []);
    await page.getByRole("button", { name: "Back to the newest" }).click();
    await page.locator("[data-segment]").first().waitFor();
  });

  test("FindAndReplace", async () => {
    const { page } = visitor;
    await page.keyboard.press("f");
    await page.getByLabel("Find", { exact: true }).fill("certainly");
    await page.getByText("1 match").waitFor();
    await page.getByLabel("Replace with").fill("Surely");
    await page.getByRole("button", { name: "Replace all" }).click();
    await page.getByText("One part changed.").waitFor();
    await page.getByText("Saved", { exact: true }).waitFor();
    await page.getByRole("search", { name: "Find and replace" }).getByRole("button", { name: "Close" }).click();
    assert.match(await page.locator("[data-segment] .words").first().innerText(), /Surely\.$/);
  });

  test("SearchOpensAtTheSecond", async () => {
    const { page } = visitor;
    await page.getByRole("link", { name: "To the library" }).click();
    await page.getByRole("searchbox").fill("surely");
    await page.locator(".hits a").first().click();
    await page.waitForURL(/\/r\/tr_.*\?t=/);
    await page.locator(".line.marked").waitFor();
  });

  test("ServerGoneKeepsWhatIsTyped", async () => {
    const { page } = visitor;
    const line = page.locator("[data-segment]").first();
    const old = (await line.locator(".words").innerText()).trim();
    await server.stop();
    await page.getByRole("alert").filter({ hasText: "cannot be reached" }).waitFor();
    await line.getByRole("button", { name: /Edit text/ }).click();
    await page.getByLabel("Text of this part").fill(`${old} Indeed.`);
    await page.keyboard.press("Escape");
    await page.getByText("Not saved yet").waitFor();
    await server.startAgain();
    await page.getByText("Saved", { exact: true }).waitFor({ timeout: 30_000 });
    assert.equal((await line.locator(".words").innerText()).trim(), `${old} Indeed.`);
    visitor.expected(/net::ERR_/);
  });

  test("TwoTabsLoseNoEdit", async () => {
    const { page } = visitor;
    const other = await visitor.context.newPage();
    await other.goto(page.url());
    const mine = page.locator("[data-segment]").nth(1);
    const theirs = other.locator("[data-segment]").nth(2);
    await theirs.getByRole("button", { name: /Edit text/ }).click();
    await other.getByLabel("Text of this part").fill("Theirs, in another tab.");
    await mine.getByRole("button", { name: /Edit text/ }).click();
    await page.getByLabel("Text of this part").fill("Mine, in this tab.");
    await other.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    for (const tab of [page, other]) {
      await tab.getByText("Mine, in this tab.").waitFor();
      await tab.getByText("Theirs, in another tab.").waitFor();
      await tab.getByText("Saved", { exact: true }).waitFor();
    }
    await other.close();
    // Whoever saved second was told so, and saved again.
    visitor.expected(/status of 412/);
  });

  test("NotARecordingIsSaidInPlace", async () => {
    const { page } = visitor;
    await page.getByRole("link", { name: "To the library" }).click();
    await page.getByTestId("files").setInputFiles({ name: "letter.mp3", mimeType: "audio/mpeg", buffer: Buffer.from("Dear Sir, this is no sound.") });
    await page.getByRole("listitem").filter({ hasText: "Not uploaded" }).getByRole("alert").filter({ hasText: "not an audio or video file" }).waitFor();
    assert.deepEqual(await visitor.look("not-a-recording"), []);
    await page.getByRole("button", { name: "Cancel: letter.mp3" }).click();
    visitor.expected(/status of 415/);
  });

  test("RenameAndDeleteWithUndo", async () => {
    const { page } = visitor;
    await page.getByRole("button", { name: /More: endgame/ }).click();
    await page.getByRole("menuitem", { name: "Rename" }).click();
    await page.getByRole("textbox", { name: "Title" }).fill("Nagg and Nell");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: /Nagg and Nell/ }).waitFor();
    await page.getByRole("button", { name: "More: Nagg and Nell" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("link", { name: /Nagg and Nell/ }).waitFor({ state: "detached" });
    await page.locator(".toast", { hasText: "was deleted" }).getByRole("button", { name: "Undo" }).click();
    await page.getByRole("link", { name: /Nagg and Nell/ }).waitFor();
    assert.deepEqual(await visitor.look("library"), []);
  });

  test("Settings", async () => {
    const { page } = visitor;
    await page.getByRole("link", { name: "Settings" }).click();
    assert.deepEqual(await visitor.look("settings"), []);
    await page.getByRole("tab", { name: "Models" }).click();
    await page.getByText("base", { exact: false }).first().waitFor();
    assert.deepEqual(await visitor.look("models"), []);
    await page.getByRole("tab", { name: "API keys" }).click();
    await page.getByLabel("What is it for?").fill("a script");
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByText("It is not shown again.").waitFor();
    assert.deepEqual(await visitor.look("keys"), []);
  });

  for (const [name, look] of Object.entries({
    "small-dark": { width: 360, dark: true },
    "small-light": { width: 360 },
    "wide-dark": { width: 1440, dark: true },
  })) {
    test(`Looks-${name}`, async (context) => {
      const other = await Visitor.open(look);
      context.after(() => other.close());
      const { page } = other;
      await page.goto(server.address);
      await page.getByLabel("Name").fill("ada");
      await page.getByLabel("Password", { exact: true }).fill("correct horse");
      assert.deepEqual(await other.look(`login-${name}`), []);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("link", { name: /Nagg and Nell/ }).waitFor();
      assert.deepEqual(await other.look(`library-${name}`), []);
      await page.getByRole("link", { name: /Nagg and Nell/ }).click();
      await page.locator("[data-segment]").first().waitFor();
      assert.deepEqual(await other.look(`transcript-${name}`), []);
      await page.getByRole("button", { name: "Versions" }).click();
      await page.getByRole("menuitem", { name: /The machine's own/ }).click();
      await page.getByText("Shown: The machine's own.").waitFor();
      assert.deepEqual(await other.look(`machine-version-${name}`), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "wider than the screen");
      assert.deepEqual(other.complaints, []);
    });
  }

  test("German", async (context) => {
    const reader = await Visitor.open({ language: "de-DE" });
    context.after(() => reader.close());
    await reader.page.goto(server.address);
    await reader.page.getByRole("heading", { name: "Willkommen zurück" }).waitFor();
    assert.deepEqual(await reader.look("login-german"), []);
  });

  test("NoComplaintInTheConsole", () => {
    assert.deepEqual(visitor.complaints, []);
  });
});
