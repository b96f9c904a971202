// The page in a real browser: `node page.spec.mjs BROWSER MICROTOME MODELS PICTURES`, which `cargo xtask page` runs. Servers, a camera that goes away
// and all files are its own; what it saw is in PICTURES.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const [executablePath, microtome, models, pictures] = process.argv.slice(2);
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
// Touch targets, in CSS pixels.
const TOUCH = 40;

const children = [];

// A server on a port of its own; gives its address.
async function serve(...options) {
  const child = spawn(microtome, ["serve", "--listen", "127.0.0.1:0", "--threads", "2", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) return line.replace("serving ", "");
  throw new Error("the server did not start");
}

// A camera that streams one JPEG again and again, until it is unplugged.
async function camera(jpeg) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "multipart/x-mixed-replace; boundary=frame" });
    const timer = setInterval(() => {
      response.write(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
      response.write(jpeg);
      response.write("\r\n");
    }, 50);
    response.on("close", () => clearInterval(timer));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const unplug = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, unplug };
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

// A page whose every complaint is an error of the test.
async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, colorScheme: "light", acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.complaints.push(message.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await page.goto(url);
  return page;
}

async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

const text = (page, id) => page.locator(`#${id}`).textContent();
const watching = (page) => page.waitForFunction(() => Number(document.getElementById("count").textContent) > 0);
const photograph = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });

// Pixels of a canvas that are drawn, and how many different values there are.
const drawn = (page, id) => page.locator(`#${id}`).evaluate((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const values = new Set();
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    values.add(data[at]);
    count += data[at + 3] > 0 ? 1 : 0;
  }
  return { count, values: values.size };
});

async function figures(url) {
  const page = await open(url);
  await watching(page);
  const picture = await drawn(page, "picture");
  assert.ok(picture.values > 100, `the picture has ${picture.values} values`);
  assert.ok((await drawn(page, "outlines")).count > 500, "outlines are drawn");
  const counts = new Set();
  const captions = new Set();
  for (let look = 0; look < 100 && (counts.size < 2 || captions.size < 5); look++) {
    counts.add(await text(page, "count"));
    captions.add(await text(page, "caption"));
    await page.waitForTimeout(100);
  }
  assert.ok(counts.size > 1 && captions.size > 4, "count and frames change");
  await page.waitForFunction(() => Number(document.getElementById("rate").textContent) > 1);
  await page.waitForFunction(() => document.getElementById("shown").textContent.endsWith(" ms"));
  await page.waitForFunction(() => document.querySelectorAll("#histogram rect").length > 3);
  await page.waitForFunction(() => document.querySelector("#sparkline polyline")?.points.numberOfItems > 1);
  assert.match(await text(page, "focus-text"), /^\d+ % of best$/);
  assert.match(await text(page, "exposure-text"), /^\d+ to \d+ %$/);
  assert.match(await text(page, "times-key"), /Network and measurement\d/);
  await photograph(page, "desktop-light");

  await page.click("#toggle-outlines");
  await page.waitForTimeout(200);
  assert.equal((await drawn(page, "outlines")).count, 0);
  await page.click("#toggle-outlines");
  await page.click("#pause");
  const held = await text(page, "caption");
  await page.waitForTimeout(700);
  assert.equal(await text(page, "caption"), held, "a paused page keeps its frame");
  await select(page);
  await page.click("#pause");
  await page.waitForFunction((held) => document.getElementById("caption").textContent !== held, held);
  await close(page);
}

// By touch and by keyboard; the page is paused, so that objects keep still.
async function select(page) {
  await page.locator("#outlines").focus();
  await page.keyboard.press("ArrowRight");
  const shown = await text(page, "object");
  assert.match(shown, /Area\d+ px/);
  await page.keyboard.press("ArrowRight");
  assert.notEqual(await text(page, "object"), shown);
  const [, x, y] = /Centre([\d.]+), ([\d.]+)/.exec(shown);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#object").isVisible(), false);
  const box = await page.locator("#outlines").boundingBox();
  await page.mouse.click(box.x + (x / 320) * box.width, box.y + (y / 240) * box.height);
  assert.equal(await text(page, "object"), shown, "a click chooses the object under it");
}

async function controls(url) {
  const page = await open(url);
  await watching(page);
  await page.selectOption("#model", "nuclei-micro");
  await page.waitForFunction(async () => (await (await fetch("/api/status")).json()).model === "nuclei-micro");
  await page.locator("#threshold").fill("0.85");
  await page.waitForFunction(async () => Math.abs((await (await fetch("/api/status")).json()).threshold - 0.85) < 1e-6);
  assert.equal(await text(page, "threshold-text"), "85 %");
  assert.match(await text(page, "light-reason"), /--instrument/);
  await page.click("#record");
  await page.getByRole("button", { name: "Stop recording" }).waitFor();
  await page.locator("#recordings").getByText("being recorded").waitFor();
  await photograph(page, "recording");
  await page.waitForTimeout(500);
  await page.click("#record");
  await page.getByRole("button", { name: "Record", exact: true }).waitFor();
  await page.locator("#recordings a").first().waitFor();
  for (const [name, first] of [["table", "frame,"], ["zip", "PK"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#recordings").getByText(name, { exact: true }).first().click()]);
    const bytes = await readFile(await download.path());
    assert.ok(bytes.subarray(0, first.length).equals(Buffer.from(first)) && bytes.length > 100, name);
  }
  await photograph(page, "recorded");
  await page.selectOption("#model", "nuclei (bundled)");
  await page.waitForFunction(async () => (await (await fetch("/api/status")).json()).model === "nuclei (bundled)");
  await close(page);
}

async function phone(url) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(url, { viewport: PHONE, deviceScaleFactor: 3, hasTouch: true, isMobile: true, colorScheme });
    await watching(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= PHONE.width, `the page is ${wide} pixels wide`);
    for (const control of await page.locator("button:visible, select:visible, input:visible").all()) {
      const { width, height } = await control.boundingBox();
      assert.ok(width >= TOUCH && height >= TOUCH, `${await control.getAttribute("id")} is ${width}x${height}`);
    }
    // As many pixels as the screen has, so that outlines are crisp.
    const outlines = page.locator("#outlines");
    const box = await outlines.boundingBox();
    const pixels = await outlines.evaluate((canvas) => canvas.width);
    assert.ok(Math.abs(pixels - 3 * box.width) <= 2, `${pixels} pixels for ${box.width}`);
    await page.waitForFunction(() => document.querySelectorAll("#histogram rect").length > 3);
    await photograph(page, `phone-${colorScheme}`);
    await close(page);
  }
}

async function themes(url) {
  const page = await open(url, { colorScheme: "dark" });
  await watching(page);
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await page.waitForTimeout(1200);
  await photograph(page, "desktop-dark");
  await page.click("#theme");
  const light = await paper();
  const brightness = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  assert.ok(brightness(dark) < 150 && brightness(light) > 600, `${dark} ${light}`);
  await page.reload();
  assert.equal(await paper(), light, "the choice is kept");
  await close(page);
}

async function loss(url) {
  const jpeg = Buffer.from(await (await fetch(`${url}api/frame.jpg`)).arrayBuffer());
  const source = await camera(jpeg);
  const page = await open(await serve("--source", source.url));
  await watching(page);
  assert.equal(await page.locator("#banner").isVisible(), false);
  source.unplug();
  await page.locator("#banner").waitFor({ state: "visible" });
  assert.match(await text(page, "banner"), /^The camera is gone: .*127\.0\.0\.1.* Trying again\.$/);
  assert.equal(await text(page, "camera-text"), "No camera");
  assert.equal(await page.locator("#record").isDisabled(), true);
  await photograph(page, "camera-gone");
  await close(page);
}

async function token() {
  const url = await serve("--size", "160x120", "--token", "auto");
  const page = await open(url);
  await watching(page);
  assert.equal(new URL(page.url()).search, "", "the token does not stay in the address");
  await close(page);
}

// A server that goes away is said as well. What the browser itself says of it is no complaint of ours.
async function gone() {
  const page = await open(await serve("--size", "160x120"));
  await watching(page);
  children.at(-1).kill("SIGTERM");
  await page.locator("#banner").waitFor({ state: "visible" });
  assert.match(await text(page, "banner"), /does not answer/);
  await page.context().close();
}

const folder = await mkdtemp(join(tmpdir(), "microtome-page-"));
try {
  const url = await serve("--size", "320x240", "--models", models, "--out", join(folder, "out"));
  for (const [name, test] of Object.entries({ figures, controls, phone, themes, loss, token, gone })) {
    const start = performance.now();
    await test(url);
    console.log(`page: ${name}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
  children.forEach((child) => child.kill("SIGTERM"));
  await rm(folder, { recursive: true, force: true });
}
