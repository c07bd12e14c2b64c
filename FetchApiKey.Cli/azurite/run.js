// Runs Azurite so that it saves whenever it ends, and ends with the process that started it, however that one ends.
//
//   node run.js MAIN [OPTION...]
//
// Azurite saves every five seconds and when it is interrupted. Here it takes the end of its standard input for an interrupt: the system closes
// that when the process which holds the other side ends, be it killed. An interrupt of the terminal reaches both processes; the one that
// still uses Azurite says when it is over.
"use strict";

const http = require("http");

// What still runs when it is told to end has this long. Azurite saves after the last connection is closed, and clients keep theirs open.
const graceMilliseconds = 1000;

const servers = [];
const createServer = http.createServer;
http.createServer = (...options) => {
  const server = createServer(...options);
  servers.push(server);
  return server;
};

const once = process.once.bind(process);
let save = () => process.exit(0);
let isEnding = false;

function end() {
  if (!isEnding) {
    isEnding = true;
    process.stdin.destroy();
    save();
    setTimeout(() => servers.forEach(server => server.closeAllConnections()), graceMilliseconds).unref();
  }
}

process.once = (name, listener) => {
  if (name === "SIGINT") {
    save = listener;
    return process;
  }

  return once(name, listener);
};
process.on("SIGINT", () => {});
process.on("SIGTERM", end);
process.stdin.on("end", end).on("close", end).on("error", end).resume();
process.argv.splice(1, 1);
require(process.argv[1]);
