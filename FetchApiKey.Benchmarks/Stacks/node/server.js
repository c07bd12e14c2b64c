// The login on Node.js: fastify, the native argon2, Azure's table client. No attempt limit.
// node server.js MODULES PORT TABLE, with the connection string in AccountStorage
const [modules, port, table] = process.argv.slice(2);
const load = (name) => require(require.resolve(name, { paths: [modules] }));
const argon2 = load('argon2');
const { TableClient } = load('@azure/data-tables');

const accounts = TableClient.fromConnectionString(process.env.AccountStorage, table, { allowInsecureConnection: true });
const refusal = { result: 'error', msg: 'Your username or password is incorrect', code: 'AUTHENTICATION_FAILED' };

const app = load('fastify')();
app.register(load('@fastify/formbody'));
app.post('/api/v1/fetch_api_key', async (request, reply) => {
  const { username, password } = request.body;
  let account;
  try {
    account = await accounts.getEntity(username, username);
  } catch (fault) {
    if (fault.statusCode !== 404) throw fault;
    return reply.code(401).send(refusal);
  }

  // What is stored has Django's form: the name of the hasher before the PHC string.
  if (!(await argon2.verify(account.PasswordHash.slice('argon2'.length), password))) {
    return reply.code(401).send(refusal);
  }

  return { result: 'success', msg: '', api_key: account.ApiKey, email: account.Email, user_id: account.UserId };
});
app.listen({ host: '127.0.0.1', port: Number(port) });
