// What is set and looked after: settings, each page of them, and the recordings themselves.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer, type Server as Receiver } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { enter, recording, Server, textOf, Visitor } from "./house.ts";

const pages = ["models", "profiles", "keys", "webhooks", "account", "users", "queue"];

describe("Settings", () => {
  let server: Server;
  let visitor: Visitor;
  let receiver: Receiver;
  let outside: string;
  let sound: Buffer;
  // Lets go what the receiver was asked for as /slow.wav.
  let release = () => {};
  let links = "";
  // Says of /late.wav that it is not there.
  let refuse = () => {};
  before(async () => {
    sound = await readFile(recording("endgame_nagg_nell.wav"));
    receiver = createServer((request, response) => {
      if (request.url === "/slow.wav") release = () => response.end(sound);
      else if (request.url === "/late.wav") refuse = () => response.writeHead(404).end();
      else if (request.url === "/links") response.setHeader("Content-Type", "text/html").end(links);
      else if (request.url === "/talk.wav") response.end(sound);
      else response.writeHead(request.url === "/bad" ? 500 : 200).end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    outside = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    server = await Server.start({ HANSARD_FETCH_ALLOW: "127.0.0.0/8" });
    visitor = await Visitor.open();
  });
  after(async () => {
    await visitor.close();
    await server.end();
    receiver.closeAllConnections();
    receiver.close();
  });

  const to = (place: string) => visitor.page.goto(`${server.address}/${place}`);

  // As a program of the same person would.
  async function ask(method: string, route: string, body?: object | FormData): Promise<any> {
    const session = await visitor.page.evaluate(() => localStorage.getItem("hansard.session"));
    const { accessToken } = JSON.parse(session ?? "{}") as { accessToken: string };
    const form = body instanceof FormData;
    const answer = await fetch(`${server.address}/api/v1${route}`, {
      method,
      headers: { Authorization: `Bearer ${accessToken}`, ...(form || !body ? {} : { "Content-Type": "application/json" }) },
      ...(body ? { body: form ? body : JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${route}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }
  async function upload(title: string) {
    const form = new FormData();
    form.append("file", new Blob([new Uint8Array(sound)]), `${title}.wav`);
    return ask("POST", "/files", form);
  }
  async function choose(menu: string, item: string) {
    await visitor.page.getByRole("button", { name: `More: ${menu}` }).click();
    await visitor.page.getByRole("menuitem", { name: item, exact: true }).click();
  }
  const row = (text: string) => visitor.page.getByRole("listitem").filter({ hasText: text });

  test("EachPageHasAnAddress", async () => {
    const { page } = visitor;
    await enter(page, server.address);
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("tab", { name: "General", selected: true }).focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForURL(/\/settings\/models$/);
    // Whoever goes on by keys stays where they are.
    assert.ok(await page.getByRole("tab", { name: "Models", selected: true }).evaluate((tab) => tab === document.activeElement));
    await page.goBack();
    await page.getByRole("tab", { name: "General", selected: true }).waitFor();
    await to("settings/webhooks");
    await page.getByRole("tab", { name: "Webhooks", selected: true }).waitFor();
    await to("settings/nothing");
    await page.getByText("There is nothing here.").waitFor();
  });

  test("Profiles", async () => {
    const { page } = visitor;
    await to("settings/profiles");
    await page.getByRole("button", { name: "New profile" }).click();
    await page.getByLabel("Name").fill("Interviews");
    await page.getByLabel("Description").fill("Two at a table");
    await page.getByLabel("Language spoken").selectOption({ label: "English" });
    await page.getByLabel("Care taken over words").selectOption({ label: "Much: most accurate" });
    await page.getByLabel("Speakers", { exact: true }).selectOption({ label: "2 speakers" });
    assert.deepEqual(await visitor.look("profile-new"), []);
    await page.getByRole("button", { name: "Save" }).click();
    await row("Interviews").getByText("default · English · Much: most accurate · 2 speakers").waitFor();

    const made = await ask("POST", "/profiles", { name: "Long ones", options: { beam_size: 2, min_speakers: 3, hotwords: ["Clov"] } });
    await page.reload();
    await choose("Long ones", "Edit");
    await page.getByLabel("Name").fill("Lectures");
    await page.getByLabel("Language spoken").selectOption({ label: "German" });
    await page.getByRole("button", { name: "Save" }).click();
    await row("Lectures").getByText("German").waitFor();
    const kept = await ask("GET", `/profiles/${made.id}`);
    assert.deepEqual(kept.options, { beam_size: 2, min_speakers: 3, hotwords: ["Clov"], language: "de", preset: "balanced", diarization: true });

    // Changed by a program while it is changed here: nothing is overwritten unseen.
    await choose("Lectures", "Edit");
    await page.getByLabel("Description").fill("In a hall");
    await ask("PATCH", `/profiles/${made.id}`, { name: "Talks", options: { ...kept.options, beam_size: 3 } });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").filter({ hasText: "it has changed since you read it" }).waitFor();
    await page.getByText(/Talks · German/).waitFor();
    assert.deepEqual(await visitor.look("profile-conflict"), []);
    await page.getByRole("button", { name: "Take theirs" }).click();
    assert.equal(await page.getByLabel("Name").inputValue(), "Talks");
    await page.getByLabel("Description").fill("In a small hall");
    await ask("PATCH", `/profiles/${made.id}`, { name: "Speeches" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByLabel("Name").fill("Lectures");
    await page.getByRole("button", { name: "Keep mine" }).click();
    await row("In a small hall").getByText("German").waitFor();
    const joined = await ask("GET", `/profiles/${made.id}`);
    assert.equal(joined.name, "Lectures");
    assert.equal(joined.options.beam_size, 3);
    visitor.expected(/status of 412/);

    await choose("Lectures", "Make default");
    await row("Lectures").getByText("default").waitFor();
    assert.deepEqual(await visitor.look("profiles"), []);
    // What is added is read as it says.
    await to("");
    const choices = async (profile: string) => {
      await page.getByRole("button", { name: "Add recordings" }).click();
      await page.getByRole("menuitem", { name: "How should recordings be read?" }).click();
      await page.getByLabel("Profile").selectOption({ label: profile });
      if (profile === "Lectures") assert.deepEqual(await visitor.look("choose-profile"), []);
      await page.getByRole("button", { name: "Save" }).click();
    };
    await choices("Lectures");
    await page.getByTestId("files").setInputFiles({ name: "lecture.wav", mimeType: "audio/wav", buffer: sound });
    await page.getByRole("link", { name: /lecture/ }).waitFor();
    const newest = await ask("GET", "/transcriptions?limit=1");
    assert.equal(newest.items[0].options.beam_size, 3);
    await choices("None: as chosen here");
    await to("settings/profiles");
    await choose("Interviews", "Delete");
    await row("Interviews").waitFor({ state: "detached" });
  });

  test("Recordings", async () => {
    const { page } = visitor;
    await upload("Nagg");
    await to("");
    await page.getByRole("link", { name: "Recordings" }).click();
    await row("Nagg").waitFor();
    await choose("Nagg.wav", "Rename");
    await page.getByRole("textbox", { name: "Title" }).fill("Nagg and Nell");
    await page.getByRole("button", { name: "Save" }).click();
    await row("Nagg and Nell").waitFor();
    await choose("Nagg and Nell", "Delete");
    await row("Nagg and Nell").waitFor({ state: "detached" });
    await page.locator(".toast").getByRole("button", { name: "Undo" }).click();
    await row("Nagg and Nell").waitFor();

    // What is in the trash takes room; what is erased does not.
    const room = await upload("Hamm");
    await row("Hamm").waitFor();
    await choose("Hamm.wav", "Delete for good …");
    assert.deepEqual(await visitor.look("recording-erase"), []);
    await page.getByRole("dialog").getByRole("button", { name: "Delete for good" }).click();
    await row("Hamm").waitFor({ state: "detached" });
    await assert.rejects(ask("POST", `/files/${room.id}:restore`), /404/);

    await ask("POST", "/files:import-url", { url: `${outside}/gone/`, title: "Lost" });
    await row("Lost").getByText("Failed").waitFor();
    await page.locator(".toast").waitFor({ state: "detached" });
    assert.deepEqual(await visitor.look("recordings"), []);
    await page.getByRole("button", { name: "Transcribe: Nagg and Nell" }).click();
    await page.waitForURL(/\/r\/tr_/);
    await page.getByRole("heading", { name: "Nagg and Nell" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
  });

  test("FromAnAddress", async () => {
    const { page } = visitor;
    await to("");
    const bring = async (name: string) => {
      await page.getByRole("button", { name: "Add recordings" }).click();
      await page.getByRole("menuitem", { name: "From an address" }).click();
      await page.getByRole("textbox", { name: "Address" }).fill(`${outside}/${name}`);
      await page.getByRole("button", { name: "Import" }).click();
    };
    await bring("talk.wav");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    // What has failed by the time that it is to be transcribed says why; so does what fails later.
    await page.route(/\/api\/v1\/transcriptions$/, async (route) => {
      while ((await ask("GET", "/files?status=failed&q=nothing")).items.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      await route.continue();
    });
    await bring("nothing.wav");
    await page.getByRole("dialog").getByRole("alert").filter({ hasText: "empty" }).waitFor();
    await page.unroute(/\/api\/v1\/transcriptions$/);
    visitor.expected(/status of 409/);
    await page.getByRole("button", { name: "Close" }).click();
    await bring("late.wav");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("link", { name: /late/ }).click();
    await page.getByRole("button", { name: "Cancel" }).waitFor();
    refuse();
    await page.getByRole("heading", { name: "This recording could not be transcribed" }).waitFor();
    await page.getByRole("alert").filter({ hasText: "404" }).waitFor();
    assert.equal(await page.getByRole("button", { name: /Try again/ }).count(), 0);
    assert.deepEqual(await visitor.look("import-failed"), []);
    await page.getByRole("link", { name: "Add the recording again" }).click();
    await page.getByRole("link", { name: /talk/ }).click();
    await page.locator("[data-segment]").first().waitFor({ timeout: 60_000 });
  });

  test("QueueAndWhatItNeeds", async () => {
    const { page } = visitor;
    const file = await ask("POST", "/files:import-url", { url: `${outside}/slow.wav`, title: "Slow" });
    await ask("POST", "/transcriptions", { file_id: file.id });
    await to("recordings");
    await row("Slow").getByText("Looking into it").waitFor();
    await choose("Slow", "Delete");
    await row("Slow").getByRole("alert").waitFor();
    visitor.expected(/status of 409/);
    assert.deepEqual(await visitor.look("recording-needed"), []);

    await to("settings/queue");
    await page.getByRole("link", { name: /Slow/ }).waitFor();
    assert.deepEqual(await visitor.look("queue"), []);
    await choose("Slow", "Cancel");
    await page.getByText("Nothing of yours is waiting or in work.").waitFor();
    await page.locator(".numbers div", { hasText: "Waiting" }).getByText("0").waitFor();
    release();
  });

  test("Webhooks", async () => {
    const { page } = visitor;
    await to("settings/webhooks");
    for (const [address, event] of [[`${outside}/good`, "A recording changes"], [`${outside}/bad`, "A recording changes"]] as const) {
      await page.getByRole("button", { name: "New webhook" }).click();
      await page.getByLabel("Address").fill(address);
      await page.getByLabel(event).check();
      if (address.endsWith("good")) assert.deepEqual(await visitor.look("webhook-new"), []);
      await page.getByRole("button", { name: "Save" }).click();
      await row(address).waitFor();
    }
    assert.match(await page.locator(".made-key code").innerText(), /^whsec_/);
    await page.getByRole("button", { name: "New webhook" }).click();
    await page.getByLabel("Address").fill("http://10.0.0.1/");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog").getByRole("alert").waitFor();
    visitor.expected(/status of 422/);
    await page.getByRole("button", { name: "Close" }).click();

    const file = await upload("Clov");
    for (let n = 0; n < 22; n += 1) await ask("PATCH", `/files/${file.id}`, { title: `Clov ${n}` });
    await page.getByRole("button", { name: `What was sent: ${outside}/bad` }).click();
    await page.getByText(/On its way/).first().waitFor();
    await page.getByText(/1.try · .*500.* · next try/).first().waitFor();
    await page.getByRole("button", { name: `What was sent: ${outside}/bad` }).click();
    await page.getByRole("button", { name: `What was sent: ${outside}/good` }).click();
    await page.getByText("Delivered").nth(19).waitFor();
    assert.deepEqual(await visitor.look("webhooks"), []);
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByText("Delivered").nth(21).waitFor();
    await page.getByRole("button", { name: `Delete: ${outside}/bad` }).click();
    await row(`${outside}/bad`).waitFor({ state: "detached" });
  });

  test("Account", async () => {
    const { page } = visitor;
    const elsewhere = await fetch(`${server.address}/api/v1/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0" },
      body: JSON.stringify({ username: "ada", password: "correct horse" }),
    });
    assert.equal(elsewhere.status, 200);
    await to("settings/account");
    await row("Firefox on Linux").waitFor();
    await row("this one").waitFor();
    assert.deepEqual(await visitor.look("account"), []);
    await page.getByRole("button", { name: "Download" }).scrollIntoViewIfNeeded();
    assert.deepEqual(await visitor.look("account-end"), []);
    await page.getByRole("button", { name: "Log out: Firefox on Linux" }).click();
    await row("Firefox on Linux").waitFor({ state: "detached" });

    const name = page.locator("form").filter({ hasText: "Change name" });
    await name.getByLabel("New name").fill("lovelace");
    await name.getByLabel("Password").fill("wrong horse");
    await name.getByRole("button").click();
    await name.getByRole("alert").waitFor();
    await name.getByLabel("Password").fill("correct horse");
    await name.getByRole("button").click();
    await page.getByText("Your name was changed.").waitFor();
    await page.locator(".row-title", { hasText: "lovelace" }).waitFor();

    const password = page.locator("form").filter({ hasText: "Change password" });
    await password.getByLabel("Present password").fill("correct horse");
    await password.getByLabel("New password").fill("better horse");
    await password.getByLabel("Password, once more").fill("other horse");
    await password.getByRole("button").click();
    await password.getByRole("alert").waitFor();
    await password.getByLabel("Password, once more").fill("better horse");
    await password.getByRole("button").click();
    await page.getByText("The password was changed.").waitFor();
    visitor.expected(/status of 4(01|03|22)/);

    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    const download = await waiting;
    assert.match(download.suggestedFilename(), /^hansard-.*\.tar$/);
    assert.match((await textOf(await download.path())).slice(0, 20), /account\.json/);
  });

  test("People", async () => {
    const { page } = visitor;
    await to("settings/users");
    await page.getByRole("button", { name: "New account" }).click();
    await page.getByLabel("Name").fill("bob");
    await page.getByLabel("Password").fill("correct horse");
    assert.deepEqual(await visitor.look("user-new"), []);
    await page.getByRole("button", { name: "Create account" }).click();
    await row("bob").getByText("User").waitFor();

    await choose("lovelace", "Make user");
    await row("lovelace").getByText("last admin").waitFor();
    visitor.expected(/status of 409/);
    assert.deepEqual(await visitor.look("users"), []);
    await choose("bob", "Make admin");
    await row("bob").getByText("Admin").waitFor();
    await choose("bob", "Make user");
    await choose("bob", "Lock out");
    await row("bob").getByText("locked out").waitFor();
    await choose("bob", "Let in again");
    await choose("bob", "New password");
    await page.getByLabel("New password", { exact: true }).fill("bobs own horse");
    assert.deepEqual(await visitor.look("user-password"), []);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The password was changed.").waitFor();
  });

  test("WhoIsNoAdminSeesNoOthers", async (context) => {
    const reader = await Visitor.open({ width: 360, dark: true });
    context.after(() => reader.close());
    const { page } = reader;
    await page.goto(`${server.address}/settings/users`);
    await page.getByLabel("Name").fill("bob");
    await page.getByLabel("Password", { exact: true }).fill("bobs own horse");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("There is nothing here.").waitFor();
    assert.equal(await page.getByRole("tab").count(), 6);
    assert.deepEqual(reader.complaints, []);

    await choose("bob", "Delete");
    assert.deepEqual(await visitor.look("user-delete"), []);
    await visitor.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await row("bob").waitFor({ state: "detached" });
  });

  test("SmallAndDark", async (context) => {
    const small = await Visitor.open({ width: 360, dark: true });
    context.after(() => small.close());
    const { page } = small;
    await page.goto(`${server.address}/recordings`);
    await page.getByLabel("Name").fill("lovelace");
    await page.getByLabel("Password", { exact: true }).fill("better horse");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("Nagg and Nell").waitFor();
    assert.deepEqual(await small.look("recordings-small-dark"), []);
    for (const name of pages) {
      await page.goto(`${server.address}/settings/${name}`);
      await page.getByRole("tabpanel").locator(":is(li, dl, form)").first().waitFor();
      if (name === "webhooks") {
        await page.getByRole("button", { name: /What was sent/ }).click();
        await page.getByText("Delivered").first().waitFor();
      }
      assert.deepEqual(await small.look(`${name}-small-dark`), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${name} is wider than the screen`);
    }
    assert.deepEqual(small.complaints, []);
  });

  test("WithoutAccounts", async (context) => {
    const open = await Server.start({ HANSARD_AUTH: "none" });
    context.after(() => open.end());
    const anyone = await Visitor.open({ language: "de-DE" });
    context.after(() => anyone.close());
    const { page } = anyone;
    await page.goto(`${open.address}/settings/account`);
    await page.getByRole("heading", { name: "Alles, was du hast" }).waitFor();
    assert.equal(await page.getByRole("heading", { name: "Passwort ändern" }).count(), 0);
    await page.getByRole("tab", { name: "Warteschlange" }).click();
    await page.getByText("Von allen").waitFor();
    assert.deepEqual(await anyone.look("queue-german"), []);

    // Another site may link to the page, and to nothing that answers for somebody.
    links = `<a href="${open.address}/settings/queue">page</a> <a href="${open.address}/api/v1/transcriptions">api</a>`;
    for (const host of ["127.0.0.1", "localhost"]) {
      await page.goto(`${outside.replace("127.0.0.1", host)}/links`);
      await page.getByRole("link", { name: "page" }).click();
      await page.getByText("Von allen").waitFor();
    }
    assert.deepEqual(anyone.complaints, []);
    await page.goto(`${outside}/links`);
    const [refused] = await Promise.all([page.waitForResponse(/api/), page.getByRole("link", { name: "api" }).click()]);
    assert.equal(refused.status(), 403);
    anyone.expected(/status of 403/);
    assert.deepEqual(anyone.complaints, []);
  });

  test("NoComplaintInTheConsole", () => {
    assert.deepEqual(visitor.complaints, []);
  });
});
