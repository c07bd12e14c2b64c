// Prints passwords such as people choose, and how many guesses zxcvbn itself says that each takes. In a folder with package.json and
// package-lock.json: npm ci, then node strength-vectors.js FOLDER > strength.tsv. The same lines at every run.

'use strict';

const path = require('node:path');

const zxcvbn = path.join(path.resolve(process.argv[2]), 'node_modules', 'zxcvbn');
const { version } = require(path.join(zxcvbn, 'package.json'));
const estimate = require(zxcvbn);
const scoring = require(path.join(zxcvbn, 'lib', 'scoring'));
const lists = require(path.join(zxcvbn, 'lib', 'frequency_lists'));

const year = 2026;
scoring.REFERENCE_YEAR = year;

// A linear congruential generator, so that every run makes the same choices.
let state = 12;
const below = (count) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * count);
};
const one = (list) => list[below(list.length)];
const listNames = Object.keys(lists);
// As often from the first hundred, thousand and ten thousand words as from all of a list.
const word = (name = one(listNames)) => one(lists[name].slice(0, one([100, 1000, 10000, 30000])));
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const reversed = (text) => text.split('').reverse().join('');
const replaced = (text, table) => text.split('').map((letter) => (below(4) ? table[letter] ?? letter : letter)).join('');
const mixed = (text) => text.split('').map((letter) => (below(3) ? letter : letter.toUpperCase())).join('');
const digits = (count) => Array.from({ length: count }, () => below(10)).join('');
const two = (number) => String(number).padStart(2, '0');
const look = { a: '@', b: '8', c: '(', e: '3', g: '9', i: '1', l: '1', o: '0', s: '$', t: '7', x: '%', z: '2' };
const others = { a: '4', b: '8', c: '[', e: '3', g: '6', i: '!', l: '|', o: '0', s: '5', t: '+', x: '%', z: '2' };
const rows = ['`1234567890-=', 'qwertyuiop[]\\', "asdfghjkl;'", 'zxcvbnm,./', '~!@#$%^&*()_+', 'QWERTYUIOP{}|', 'ASDFGHJKL:"', "',.pyfgcrl/=", 'aoeuidhtns-', ';qjkxbmwvz',
  '1qaz', '2wsx', '3edc', 'zaq1', 'xsw2', '741', '963', '789', '147', '7896', '14789', '321', '0147', '369', '=/*', '852', '456+', '159', '753'];
const stretch = (row) => {
  const start = below(Math.max(1, row.length - 2));
  return row.slice(start, start + 3 + below(row.length));
};
const run = (first, step, length) => String.fromCharCode(...Array.from({ length }, (_, index) => first.charCodeAt(0) + step * index));
const names = () => word(one(['male_names', 'female_names', 'surnames']));
const years = () => String(1900 + below(151));
const date = (separator) => {
  const [day, month, full] = [1 + below(31), 1 + below(12), 1900 + below(151)];
  const parts = below(2) ? [two(day), two(month)] : [String(day), String(month)];
  const ordered = below(2) ? parts : parts.reverse();
  const shown = below(2) ? String(full) : two(full % 100);
  return (below(3) ? [...ordered, shown] : [shown, ...ordered]).join(separator);
};

const kinds = [
  [700, () => word()],
  [300, () => capital(word())],
  [150, () => mixed(word())],
  [80, () => word().toUpperCase()],
  [400, () => word() + digits(1 + below(4))],
  [150, () => digits(1 + below(3)) + word()],
  [250, () => word() + one(['!', '!!', '.', '?', '#1', '123', '1234', '_', '*'])],
  [250, () => word() + word()],
  [200, () => [word(), word()].join(one(['-', '_', '.', ' ']))],
  [150, () => [word(), word(), word()].join(one(['', ' ', '-']))],
  [400, () => replaced(word(), one([look, others]))],
  [250, () => replaced(capital(word()), one([look, others]))],
  [200, () => reversed(word())],
  [60, () => reversed(capital(word()))],
  [250, () => capital(names()) + years()],
  [120, () => names() + digits(2)],
  [120, () => names() + one(['@', '.', '']) + names()],
  [350, () => stretch(one(rows))],
  [200, () => stretch(one(rows)) + stretch(one(rows))],
  [150, () => stretch(one(rows)).repeat(2 + below(2))],
  [350, () => word().repeat(2 + below(3))],
  [100, () => capital(word()).repeat(2)],
  [60, () => replaced(word(), look).repeat(2)],
  [60, () => reversed(word()).repeat(2 + below(2))],
  [150, () => digits(1 + below(4)).repeat(2 + below(4))],
  [120, () => one('abcxyzABZ0159!$').repeat(6 + below(20))],
  [80, () => years().repeat(2 + below(2))],
  [100, () => (word().slice(0, 1 + below(3))).repeat(2 + below(6))],
  [60, () => { const part = word().slice(0, 3); const twice = part + part[0]; return (part[0] + twice).repeat(2 + below(4)); }],
  [250, () => run(one('abcdefghmnqxzABMZ0123459αβжі一'), one([1, 1, 1, 2, 3, 5, 6, -1, -1, -2]), 6 + below(9))],
  [300, () => date('')],
  [150, () => date(one(['.', '-', '/', ' ', '_']))],
  [200, () => digits(6 + below(5))],
  [150, () => digits(3) + digits(1).repeat(4)],
  [60, () => years() + years()],
  [100, () => one(['Grüße', 'contraseña', 'пароль', 'мама', '密码', 'パスワード', 'σύνθημα', 'şifre', '🔑', '😀😁', 'ﬁ', 'İ', 'K', 'é']).repeat(1 + below(4)) + one(['', '', '1', '123', '!'])],
  [120, () => Array.from({ length: 6 + below(10) }, () => String.fromCharCode(33 + below(94))).join('')],
];

// What only these show: what is repeated five times and begins with a repetition is not one repetition to the original, and letters
// that only other scripts have.
const fixed = ['aabaabaabaabaab', 'aabaab', 'a'.repeat(100), 'abc'.repeat(30), 'somesomesome', 'hellhellhell', 'qwsqws', '1qaz1qaz', 'PASSWORD', 'passworD',
  'PaSSword', 'p4ssw0rd', 'P@ssw0rd', 'p@$$w0rd', 'Password', 'drowssap', 'DROWSSAP', '010190', '112001', '19901990', '20262026', 'abcabc', 'AbcAbc', 'ABCDEF', 'fedcba',
  '135791', 'acegik', 'zzzzzz', '!!!!!!', 'asdfgh', 'ASDFGH', 'aSDFGH', '147896', '789632', '111222', 'correcthorsebatterystaple', 'tr0ub4dour&3', 'abcd1234', 'KKKKKKK',
  'passİword', 'mİchael', '1İİİİİ', 'mıchael', 'pa\u017Fsword', '\u212Aimberly', '123456\u0660', '      ', 'pass word', '𝒶𝒷𝒸𝒹𝑒𝒻', '🔑🔑🔑🔑🔑🔑', '🔑🔒🔑🔒🔑🔒'];

const made = new Set(fixed);
for (const [count, make] of kinds) {
  for (let tries = 0, wanted = made.size + count; made.size < wanted && tries < count * 4; tries += 1) {
    const password = make();
    // Shorter ones are refused without an estimate.
    if (Array.from(password).length >= 6) {
      made.add(password);
    }
  }
}

const lines = [...made].map((password) => `${password}\t${estimate(password).guesses}`);
process.stdout.write(`# password\tguesses by zxcvbn ${version} of npm, reference year ${year}. Made by strength-vectors.js, ${lines.length} passwords.\n${lines.join('\n')}\n`);
