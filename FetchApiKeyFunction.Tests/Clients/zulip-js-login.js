// Logs in with the zulip-js package and prints the configuration it ends up with:
// node zulip-js-login.js MODULES REALM USERNAME PASSWORD
const [modules, realm, username, password] = process.argv.slice(2);
const zulip = require(require.resolve('zulip-js', { paths: [modules] }));

zulip({ realm, username, password }).then((client) => console.log(JSON.stringify(client.config)));
