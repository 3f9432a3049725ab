/**
 * What nearly every test file needs: a server, a browser, people and devices.
 * What is opened in a test ends with it, what is opened in `beforeAll` with the
 * file; whatever a page complained about fails the test in which it did.
 */
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { Device, openBrowser } from './browser.ts';
import { Person } from './people.ts';
import { Server, type ServerOptions } from './server.ts';

/** Something that was opened for a while. */
interface Held {
  readonly devices: Device[];
  readonly people: Person[];
}

export class Stage {
  #server: Server | undefined;
  #browser: Browser | undefined;
  #file: Held = { devices: [], people: [] };
  #test: Held | undefined;

  get server(): Server {
    if (!this.#server) throw new Error('the server is there from beforeAll on');
    return this.#server;
  }

  get browser(): Browser {
    if (!this.#browser) throw new Error('the browser is there from beforeAll on');
    return this.#browser;
  }

  /** A new account. */
  async person(name: string): Promise<Person> {
    const person = await Person.signUp(this.server, name);
    (this.#test ?? this.#file).people.push(person);
    return person;
  }

  /** A browser in which this person is signed in. */
  async device(person: Person, options?: BrowserContextOptions): Promise<Device> {
    return this.#hold(await person.device(this.browser, options));
  }

  /** A browser in which nobody is; `origin` is the server's when absent. */
  async blankDevice(options?: BrowserContextOptions, origin = this.server.http): Promise<Device> {
    return this.#hold(await Device.open(this.browser, origin, options));
  }

  #hold(device: Device): Device {
    (this.#test ?? this.#file).devices.push(device);
    return device;
  }

  async start(options: ServerOptions | undefined): Promise<void> {
    if (options) this.#server = await Server.start(options);
    this.#browser = await openBrowser();
  }

  beginTest(): void {
    this.#test = { devices: [], people: [] };
  }

  async endTest(): Promise<void> {
    const { devices, people } = this.#test ?? this.#file;
    this.#test = undefined;
    const all = [...devices, ...this.#file.devices];
    const complaints = all.flatMap((device) => device.complaints.splice(0));
    await close(devices, people);
    // A test that failed may have left it dead.
    await this.#server?.revive();
    expect(complaints, 'what pages complained about').toEqual([]);
  }

  async stop(): Promise<void> {
    await close(this.#file.devices, this.#file.people);
    await this.#browser?.close();
    await this.#server?.stop();
  }
}

async function close(devices: Device[], people: Person[]): Promise<void> {
  for (const device of devices) await device.close();
  for (const person of people) await person.close();
}

/** Sets up a file's stage; `no server` for pages that need none. A function is called when those before it are up. */
export function setStage(options: ServerOptions | (() => ServerOptions) | 'no server' = {}): Stage {
  const stage = new Stage();
  beforeAll(async () => {
    const chosen = typeof options === 'function' ? options() : options;
    await stage.start(chosen === 'no server' ? undefined : chosen);
  });
  beforeEach(() => stage.beginTest());
  afterEach(() => stage.endTest());
  afterAll(() => stage.stop());
  return stage;
}
