// The cluster from outside: its API with the administrator's token, its processes by their numbers, its master.

import { spawn } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { check, equal, until } from "./check.mjs";

export class Cluster {
  constructor(settings) {
    this.settings = settings;
    this.origin = settings.origin;
    this.master = settings.master;
  }

  /** One request with the administrator's token; the answer's status and body. */
  async request(method, path, body) {
    const answer = await fetch(`${this.origin}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.settings.token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  }

  async get(path) {
    const { status, body } = await this.request("GET", path);
    equal(status, 200, `GET ${path}`);
    return body;
  }

  node(name) {
    return this.get(`nodes/${name}`);
  }

  /** Processes of all nodes by name. */
  async pids() {
    return Object.fromEntries((await this.get("nodes")).map((node) => [node.name, node.pid]));
  }

  untilNode(name, what, is) {
    return until(`${name}: ${what}`, async () => {
      const node = await this.node(name);
      return is(node) && node;
    });
  }

  /** Waits until a node has been ready for a second: its next end is then no failed start. */
  untilProven(name) {
    return this.untilNode(name, "ready for a second", (node) => node.state === "ready" && node.since > 1.05);
  }

  /** Has a service of the game write into its log. */
  async chatter(message, json) {
    const { status, body } = await this.request("POST", "calls", { node: "game1", handler: `chatter.${message}`, json });
    check(status === 200 && !body.error, `chatter.${message}: ${status} ${JSON.stringify(body)}`);
  }

  /** A cookie of a new session, as a browser keeps it. */
  async cookie(token) {
    const answer = await fetch(`${this.origin}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    equal(answer.status, 200, "a session");
    const [name, value] = answer.headers.get("set-cookie").split(";")[0].split("=");
    return { name, value, url: this.origin, httpOnly: true, sameSite: "Strict" };
  }

  /** The status of a request for a page under any name. */
  statusAs(host, path = "/") {
    const { hostname, port } = new URL(this.origin);
    return new Promise((resume, fail) => {
      const request = http.get({ hostname, port, path, headers: { host } }, (answer) => {
        answer.resume();
        resume(answer.statusCode);
      });
      request.on("error", fail);
    });
  }

  kill(pid) {
    process.kill(pid, "SIGKILL");
  }

  killMaster() {
    this.kill(this.master);
  }

  /** Starts the master as it was started before; `ended` is then how it ends. */
  startMaster() {
    const { program, config } = this.settings;
    const master = spawn(program, ["--config", config], { stdio: "ignore" });
    this.master = master.pid;
    this.ended = new Promise((resume) => master.on("exit", (code, signal) => resume(code ?? signal)));
    return until("the new master", () => this.get("nodes").catch(() => null));
  }

  /** Some players, so that there is something to see; gives what ends them. */
  play(players = 8) {
    const sockets = Array.from({ length: players }, () => this.#player());
    return () => sockets.forEach((stop) => stop());
  }

  #player() {
    const socket = net.connect(this.settings.netport, "127.0.0.1");
    // A player whose connection ends has nothing more to say.
    socket.on("error", () => socket.destroy());
    socket.resume();
    // To be answered by the net node, the gate and the game in turn.
    const words = [[1, "hello"], [24, "hello"], [27, "hello"]];
    let turn = 0;
    const timer = setInterval(() => {
      if (!socket.writable) return;
      const [command, text] = words[turn++ % words.length];
      const frame = Buffer.alloc(17);
      frame.writeUInt32BE(text.length + 4, 9);
      frame.writeUInt32BE(command, 13);
      socket.write(Buffer.concat([frame, Buffer.from(text)]));
    }, 50);
    return () => {
      clearInterval(timer);
      socket.destroy();
    };
  }
}
