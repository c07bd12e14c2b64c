// Validates responses against an OpenAPI 3.1 document, one JSON object a line in and one out:
// node response-validator.js MODULES DOCUMENT
//   in:  {"method","path","status","headers":{NAME:VALUE},"body"}
//   out: {"faults":["where: what"]}
'use strict';

const fs = require('fs');
const readline = require('readline');

const [modules, file] = process.argv.slice(2);
const load = (name) => require(require.resolve(name, { paths: [modules] }));
const { default: Ajv2020 } = load('ajv/dist/2020');
const { default: addFormats } = load('ajv-formats');

const description = JSON.parse(fs.readFileSync(file, 'utf8'));
const ajv = addFormats(new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false }));
// A hint for generators that OpenAPI adds to JSON Schema; the schemas say the same without it. Any other unknown keyword is
// refused, but for the members of the document itself, which is no schema but what the references inside it are resolved against.
ajv.addVocabulary(['discriminator', ...Object.keys(description)]);
ajv.addSchema(description, 'description', false, false);

// Of the connection and the server, not of the API.
const transportHeaders = new Set(['connection', 'content-type', 'date', 'keep-alive', 'transfer-encoding']);
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const none = '#/no-such-response';

const pointerTo = (...names) => '#/' + names.map((name) => name.replace(/~/g, '~0').replace(/\//g, '~1')).join('/');
const at = (pointer) => pointer.slice(2).split('/').reduce((node, name) => node?.[name.replace(/~1/g, '/').replace(/~0/g, '~')], description);

/** Follows references until there is something else. */
function resolve(pointer) {
  const node = at(pointer);
  return node?.$ref ? resolve(node.$ref) : pointer;
}

const schemas = new Map();
function schemaAt(pointer) {
  if (!schemas.has(pointer)) {
    schemas.set(pointer, ajv.compile({ $ref: 'description' + pointer.split('/').map(encodeURIComponent).join('/').replace('%23', '#') }));
  }

  return schemas.get(pointer);
}

function check(pointer, value, where) {
  const validate = schemaAt(pointer);
  return validate(value) ? [] : validate.errors.map((error) => `${where}${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);
}

/** The pointer to the description of a response. A method that the path does not describe must get the path's 405. */
function describe(method, path, status) {
  const item = description.paths[path];
  if (!item) {
    return status === 404 ? resolve(description['x-unknown-path']) : none;
  }

  // A path that the settings leave out is unknown like any other.
  if (item['x-optional'] && status === 404 && !item[method.toLowerCase()]?.responses?.[status]) {
    return resolve(description['x-unknown-path']);
  }

  const described = methods.includes(method.toLowerCase()) && item[method.toLowerCase()];
  if (described) {
    // Listed there for the methods below; it is no answer to the right one.
    return status === 405 && method !== 'OPTIONS' ? none : resolve(pointerTo('paths', path, method.toLowerCase(), 'responses', String(status)));
  }

  return status === 405 ? resolve(pointerTo('paths', path, methods.find((name) => item[name]), 'responses', '405')) : none;
}

function checkHeaders(pointer, sent) {
  const described = at(pointer).headers ?? {};
  const names = new Map(Object.keys(described).map((name) => [name.toLowerCase(), name]));
  const faults = Object.keys(sent)
    .filter((name) => !names.has(name.toLowerCase()) && !transportHeaders.has(name.toLowerCase()))
    .map((name) => `header ${name}: is not described`);
  const values = new Map(Object.entries(sent).map(([name, value]) => [name.toLowerCase(), value]));
  for (const [lower, name] of names) {
    const header = resolve(`${pointer}/headers/${name}`);
    if (values.has(lower)) {
      const value = values.get(lower);
      const isNumber = at(header).schema.type === 'integer' && /^(0|[1-9][0-9]*)$/.test(value);
      faults.push(...check(`${header}/schema`, isNumber ? Number(value) : value, `header ${name}`));
    } else if (at(header).required) {
      faults.push(`header ${name}: is missing`);
    }
  }

  return faults;
}

function checkBody(pointer, method, type, body) {
  const { content } = at(pointer);
  if (!content) {
    return body === '' && type === undefined ? [] : ['body: is not described'];
  }

  if (!Object.hasOwn(content, type ?? '')) {
    return [`header Content-Type: ${type} is not described`];
  }

  if (method === 'HEAD') {
    return body === '' ? [] : ['body: an answer to HEAD has none'];
  }

  let value = body;
  if (type === 'application/json') {
    try {
      value = JSON.parse(body);
    } catch {
      return ['body: is no JSON'];
    }
  }

  return check(`${pointer}/content/${type.replace(/\//g, '~1')}/schema`, value, 'body ');
}

function validate({ method, path, status, headers, body }) {
  const pointer = describe(method, path, status);
  if (at(pointer) === undefined) {
    return [`status ${status}: is not described for ${method} ${path}`];
  }

  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  return [...checkHeaders(pointer, headers), ...checkBody(pointer, method, type, body)];
}

/** A description that cannot be applied is a fault like any other, and the next response is still validated. */
function faultsOf(response) {
  try {
    return validate(response);
  } catch (error) {
    return [`the description cannot be applied: ${error.message}`];
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(JSON.stringify({ faults: faultsOf(JSON.parse(line)) }) + '\n');
});
