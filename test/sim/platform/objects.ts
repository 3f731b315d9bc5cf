/**
 * Durable Objects in one process: instances made on first use, calls between them as copies, one alarm each that is
 * spent when it fires and tried again when it throws. An instance can be killed at any moment; its storage stays, and
 * whatever the dead one still does (a write, a request, a log line) never happened.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { SimStorage } from "./storage.ts";

/** Alarms that throw are tried again this often, from 2 s on. */
const ALARM_RETRIES = 6;
const ALARM_RETRY_MS = 2_000;

type Instance = Record<string, unknown> & { alarm?(): Promise<void> };
export type ObjectClass = new (ctx: never, env: never) => object;

interface Life {
  alive: boolean;
  /** The deployment it belongs to. */
  owner: string;
}

const lives = new AsyncLocalStorage<Life>();

/** Whether the running code belongs to an instance that was killed. */
export function isDead(): boolean {
  return lives.getStore()?.alive === false;
}

/** The deployment whose code is running; undefined for everyone else's. */
export function runningOwner(): string | undefined {
  return lives.getStore()?.owner;
}

class Killed extends Error {
  override readonly name = "Killed";
}

export class SimObjects {
  readonly #owner: string;
  readonly #make: (ctx: unknown) => object;
  readonly #entries = new Map<string, Entry>();
  /** Told after every write; kills the writer by returning true. */
  onWrite: (name: string) => boolean = () => false;
  /** What went wrong where nothing may: an alarm that threw. */
  readonly alarmErrors: unknown[] = [];

  /** @param owner the deployment, for `runningOwner` */
  constructor(owner: string, make: (ctx: unknown) => object) {
    this.#owner = owner;
    this.#make = make;
  }

  /** The namespace binding. */
  getByName = (name: string) =>
    new Proxy(
      {},
      {
        get: (_target, method) => {
          if (method === "then" || typeof method !== "string") return undefined;
          return (...args: unknown[]) => this.#call(name, method, args);
        },
      },
    );

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  storage(name: string): SimStorage {
    return this.#entry(name).storage;
  }

  /** Kills one instance, or all of them. The next call or alarm makes a new one. */
  kill(name?: string): void {
    for (const [key, entry] of this.#entries) {
      if (name === undefined || key === name) entry.kill();
    }
  }

  /** Loses an alarm; `stranded` ones still show in the storage, in the past, and never fire. */
  loseAlarm(name: string, how: "gone" | "stranded"): void {
    this.#entry(name).loseAlarm(how);
  }

  /** Fires the alarm once more than was asked for, as the platform may. */
  fireAgain(name: string): Promise<unknown> {
    return this.#entry(name).run((instance) => instance.alarm?.() ?? Promise.resolve());
  }

  dispose(): void {
    for (const entry of this.#entries.values()) entry.dispose();
  }

  #entry(name: string): Entry {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const entry = new Entry(this.#make, {
      owner: this.#owner,
      written: () => this.onWrite(name),
      alarmFailed: (error) => this.alarmErrors.push(error),
    });
    this.#entries.set(name, entry);
    return entry;
  }

  async #call(name: string, method: string, args: unknown[]): Promise<unknown> {
    const copies = structuredClone(args);
    // The platform's calls take a turn of the event loop at least.
    await Promise.resolve();
    return structuredClone(await this.#entry(name).run((instance) => invoke(instance, method, copies)));
  }
}

function invoke(instance: Instance, method: string, args: unknown[]): Promise<unknown> {
  const target = instance[method];
  if (typeof target !== "function") throw new TypeError(`no method ${method}`);
  return target.apply(instance, args) as Promise<unknown>;
}

interface EntryHooks {
  owner: string;
  written(): boolean;
  alarmFailed(error: unknown): void;
}

class Entry {
  readonly storage = new SimStorage();
  readonly #make: (ctx: unknown) => object;
  readonly #hooks: EntryHooks;
  #instance: { object: Instance; life: Life } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #alarmRunning: Life | null = null;
  #retries = 0;

  constructor(make: (ctx: unknown) => object, hooks: EntryHooks) {
    this.#make = make;
    this.#hooks = hooks;
  }

  /** Runs `work` on the living instance, whose death makes it never end well. */
  async run<T>(work: (instance: Instance) => Promise<T>): Promise<T> {
    const { object, life } = this.#living();
    const outcome = await lives
      .run(life, () => work(object))
      .then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
    if (!life.alive) throw new Killed("the object was reset");
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  kill(): void {
    if (this.#instance === null) return;
    this.#instance.life.alive = false;
    this.#instance = null;
    // An alarm that was killed before it set the next one runs again.
    if (this.#alarmRunning !== null && this.storage.alarmMs === null) this.storage.restoreAlarm(Date.now());
    this.#alarmRunning = null;
    this.armAgain();
  }

  armAgain(): void {
    if (this.storage.alarmMs !== null) this.#arm(this.storage.alarmMs);
  }

  loseAlarm(how: "gone" | "stranded"): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (how === "gone") this.storage.spendAlarm();
  }

  dispose(): void {
    this.kill();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #living(): { object: Instance; life: Life } {
    if (this.#instance !== null) return this.#instance;
    const life: Life = { alive: true, owner: this.#hooks.owner };
    const fence = () => {
      if (!life.alive) throw new Killed("the object was reset");
    };
    const storage = this.storage.open({
      fence,
      written: () => {
        if (!this.#hooks.written()) return;
        this.kill();
        fence();
      },
      alarmChanged: (atMs) => this.#arm(atMs),
    });
    const waitUntil = (work: Promise<unknown>) => void work.catch(() => undefined);
    const object = lives.run(life, () => this.#make({ storage, waitUntil })) as Instance;
    this.#instance = { object, life };
    return this.#instance;
  }

  #arm(atMs: number | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = atMs === null ? null : setTimeout(() => void this.#fire(), Math.max(0, atMs - Date.now()));
  }

  async #fire(): Promise<void> {
    this.#timer = null;
    // One alarm at a time: a second one waits for the first.
    if (this.#alarmRunning?.alive === true) {
      this.#timer = setTimeout(() => void this.#fire(), 1);
      return;
    }
    this.storage.spendAlarm();
    const { life } = this.#living();
    this.#alarmRunning = life;
    try {
      await this.run((instance) => instance.alarm?.() ?? Promise.resolve());
      this.#retries = 0;
    } catch (error) {
      if (life.alive) this.#retry(error);
    } finally {
      if (this.#alarmRunning === life) this.#alarmRunning = null;
    }
  }

  #retry(error: unknown): void {
    this.#hooks.alarmFailed(error);
    this.#retries += 1;
    if (this.#retries > ALARM_RETRIES || this.storage.alarmMs !== null) return;
    this.#timer = setTimeout(() => void this.#fire(), ALARM_RETRY_MS * 2 ** (this.#retries - 1));
  }
}
