// Judges a bill of materials by the schema of CycloneDX 1.6. Arguments: the folder with node_modules, the document.

const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');

const [, , modules, document] = process.argv;
const { Spec, Validation } = createRequire(join(modules, 'package.json'))('@cyclonedx/cyclonedx-library');

new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(readFileSync(document, 'utf8')).then((faults) => {
    if (faults !== null) {
        console.log(JSON.stringify(faults));
        process.exitCode = 1;
    }
});
