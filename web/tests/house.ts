// A real server with the small models, and a real browser that looks at its page.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, mkdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import axe from "axe-core";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const root = path.resolve(import.meta.dirname, "../..");
export const deps = process.env.HANSARD_DEPS_DIR ?? path.join(process.env.HOME ?? "", ".cache/hansard-deps");
// Where a person can look at what the tests saw.
const pictures = path.join(root, "build/page/pictures");

export const recording = (name: string) => path.join(deps, "recordings", name);

export class Server {
  private process: ChildProcess;
  readonly folder: string;
  readonly address: string;
  private readonly settings: Record<string, string>;
  private constructor(process: ChildProcess, folder: string, address: string, settings: Record<string, string>) {
    this.process = process;
    this.folder = folder;
    this.address = address;
    this.settings = settings;
  }

  // With a disk of so many megabytes for its data, where that is said.
  static async start(settings: Record<string, string> = {}, diskMegabytes = 0): Promise<Server> {
    const folder = await mkdtemp(path.join(tmpdir(), "hansard-page-"));
    await mkdir(path.join(folder, "data"));
    const { child, address } = await Server.launch(folder, { HANSARD_PORT: "0", ...settings }, diskMegabytes);
    return new Server(child, folder, address, settings);
  }
  // The data folder as the server sees it.
  get data() {
    return `/proc/${this.process.pid}/root${this.folder}/data`;
  }

  private static async launch(folder: string, settings: Record<string, string>, diskMegabytes = 0) {
    const program = path.join(root, "build/bin/hansard");
    const onDisk = `mount -t tmpfs -o size=${diskMegabytes}m tmpfs "$HANSARD_DATA_DIR" && exec "$0" serve`;
    const [command, ...words] = diskMegabytes > 0 ? ["unshare", "-rm", "sh", "-c", onDisk, program] : [program, "serve"];
    const child = spawn(command, words, {
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        LC_ALL: "C.UTF-8",
        HANSARD_DATA_DIR: path.join(folder, "data"),
        HANSARD_MODEL_PATH: path.join(deps, "models"),
        https_proxy: "http://127.0.0.1:1",
        http_proxy: "http://127.0.0.1:1",
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let errors = "";
    child.stderr?.on("data", (bytes: Buffer) => (errors = (errors + bytes.toString()).slice(-4000)));
    const address = await new Promise<string>((resolve, reject) => {
      let said = "";
      child.stdout?.on("data", (bytes: Buffer) => {
        said += bytes.toString();
        const found = /^hansard listens on (\S+)$/m.exec(said);
        if (found?.[1]) resolve(found[1]);
      });
      child.once("exit", () => reject(new Error(`the server did not start: ${errors}`)));
    });
    return { child, address };
  }

  async stop() {
    const gone = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await gone;
  }
  // On the same port, as after a power cut.
  async startAgain() {
    const { child } = await Server.launch(this.folder, { ...this.settings, HANSARD_PORT: new URL(this.address).port });
    this.process = child;
  }
  async end() {
    await this.stop();
    await rm(this.folder, { recursive: true });
  }
}

// One person's browser. What its console complains of is kept.
export class Visitor {
  readonly complaints: string[] = [];
  readonly context: BrowserContext;
  readonly page: Page;
  private readonly browser: Browser;
  private constructor(browser: Browser, context: BrowserContext, page: Page) {
    this.browser = browser;
    this.context = context;
    this.page = page;
    context.on("page", (page) => this.listen(page));
    this.listen(page);
  }
  private listen(page: Page) {
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.complaints.push(`${message.text()} (${message.location().url}:${message.location().lineNumber})`);
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  static async open(options: { width?: number; dark?: boolean; language?: string } = {}): Promise<Visitor> {
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"],
    });
    const context = await browser.newContext({
      viewport: { width: options.width ?? 1440, height: 900 },
      colorScheme: options.dark ? "dark" : "light",
      locale: options.language ?? "en-GB",
      reducedMotion: "reduce",
      permissions: ["clipboard-read", "clipboard-write", "microphone"],
    });
    context.setDefaultTimeout(15_000);
    return new Visitor(browser, context, await context.newPage());
  }
  // The browser itself complains of answers and connections that a test wants to fail.
  expected(pattern: RegExp) {
    this.complaints.splice(0, this.complaints.length, ...this.complaints.filter((one) => !pattern.test(one)));
  }
  async close() {
    await this.browser.close();
  }

  // A picture for a person, and what axe finds wrong with the screen.
  async look(name: string): Promise<string[]> {
    await mkdir(pictures, { recursive: true });
    // What is laid out by measure is in its place two frames later.
    await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await this.page.screenshot({ path: path.join(pictures, `${name}.png`) });
    // Evaluated by the debugger: the page's own policy lets no foreign script in.
    await this.page.evaluate(axe.source);
    const violations = await this.page.evaluate(async () => {
      const found = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      });
      return found.violations.map(
        (one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => `${node.target.join(" ")} ${node.failureSummary ?? ""}`).join("; ")}`,
      );
    });
    // axe, which has no address, styles what it measures; the page's policy stops that.
    this.expected(/inline style.*\(:\d+\)$/);
    return violations;
  }
}

// Makes the first account, and takes what is offered for recordings.
export async function enter(page: Page, address: string) {
  await page.goto(address);
  await page.getByLabel("Name").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByLabel("Password, once more").fill("correct horse");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("heading", { name: "Drop your first recording here" }).waitFor();
}

export const textOf = (file: string) => readFile(file, "utf8");
