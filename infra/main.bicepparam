// Yours to edit. Whatever is left out has the default that main.bicep gives and explains.

using 'main.bicep'

param name = 'fetchkey'
param operatorPrincipalId = readEnvironmentVariable('OPERATOR_ID', '')

// From the environment of one command alone, so that it is in no file and no list of processes.
param sealingKey = readEnvironmentVariable('SEALING_KEY', '')
